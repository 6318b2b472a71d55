# A link of 512 kbit/s between a server and a client, each in a network namespace of its own.
#
#   slow_link.sh ECHO_NET INPUT OUTPUT       run where nothing but lo is: unshare -Urn --fork --pid --mount-proc
#
# Sends the lines of INPUT, writes the answers to OUTPUT; exits as the client does. The server's report goes to
# OUTPUT.report.
set -eu
[ "$(ip -o link | wc -l)" = 1 ] || { echo "slow_link: this is no empty namespace" >&2; exit 99; }
echo_net=$1 input=$2 output=$3
unshare -n sleep 300 & other=$!
trap 'kill $other 2> /dev/null || true' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
there() { nsenter -t $other -n "$@"; }
ip link set lo up
there ip link set lo up
ip link add here type veth peer name there
ip link set there netns $other
ip addr add 192.0.2.1/24 dev here
there ip addr add 192.0.2.2/24 dev there
ip link set here up
there ip link set there up
tc qdisc add dev here root tbf rate 512kbit burst 4kb latency 200ms
there tc qdisc add dev there root tbf rate 512kbit burst 4kb latency 200ms

nsenter -t $other -n "$echo_net" serve --listen 192.0.2.2:0 > "$output.report" 2> "$output.log" & server=$!
until address=$(sed -n 's/^listening on //p' "$output.report") && [ -n "$address" ]; do sleep 0.01; done
code=0
"$echo_net" connect "$address" < "$input" > "$output" 2> "$output.errors" || code=$?
kill -TERM $server
wait $server
exit $code
