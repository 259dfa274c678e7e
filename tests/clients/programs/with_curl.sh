# Three calls with curl; prints the status of each.
told() {
  name=$1
  shift
  echo "$name $(curl --silent --output /dev/null --write-out '%{http_code}' "$@")"
}
told allowed "$1/repos/acme/site"
told denied --request DELETE "$1/repos/acme/site"
told held --json '{"title":"x"}' "$1/repos/acme/site/issues"
