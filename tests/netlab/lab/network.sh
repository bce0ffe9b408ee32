# The network inside: a client, two servers, and one link for all traffic of the client.
#
#   client --uplink--trunk-- switch --port-a-- server-a (10.20.1.1)
#                            \-port-b-- server-b (10.20.2.1)
#
# The uplink is shaped in both directions; the responses of each server are delayed. All frames carry up to MTU bytes.
# To be sourced.

UPLINK=uplink

inside_of() { ip netns exec "$@"; }

# Packets are segmented to the size on a cable before they leave a device, as by a network card, and stay segmented:
# otherwise the kernel passes on 64 KiB as one packet, which cannot be shaped and is counted incorrectly.
PACKETS="gro off gso on tso off"
plain_packets() { # DEVICE [NAMESPACE]
    # shellcheck disable=SC2086
    ${2:+inside_of "$2"} ethtool -K "$1" $PACKETS >/dev/null 2>&1
}

network_up() { # RATE DELAY MTU
    local rate=$1 delay=$2 mtu=$3 side number module
    for module in veth sch_tbf sch_netem sch_fq_codel; do modprobe "$module" || return 1; done
    ip link set lo up
    ip netns add switch
    ip link add "$UPLINK" mtu "$mtu" type veth peer name trunk mtu "$mtu" netns switch
    ip addr add 10.20.0.1/24 dev "$UPLINK"
    ip link set "$UPLINK" up
    plain_packets "$UPLINK"
    inside_of switch ip addr add 10.20.0.254/24 dev trunk
    inside_of switch ip link set trunk up
    inside_of switch sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    plain_packets trunk switch
    number=0
    for side in a b; do
        number=$((number + 1))
        ip netns add "server-$side"
        ip link add "port-$side" mtu "$mtu" netns switch type veth peer name eth0 mtu "$mtu" netns "server-$side"
        inside_of switch ip addr add "10.20.$number.254/24" dev "port-$side"
        inside_of switch ip link set "port-$side" up
        inside_of "server-$side" ip link set lo up
        inside_of "server-$side" ip addr add "10.20.$number.1/24" dev eth0
        inside_of "server-$side" ip link set eth0 up
        inside_of "server-$side" ip route add default via "10.20.$number.254"
        plain_packets eth0 "server-$side"
        [ "$delay" = 0 ] || inside_of "server-$side" tc qdisc add dev eth0 root netem delay "$delay" limit 20000 || return 1
    done
    ip route add default via 10.20.0.254
    # As is usual, the client has a fair queue, and the switch a short one that drops packets.
    tc qdisc add dev "$UPLINK" root handle 1: tbf rate "$rate" burst 64kb latency 100ms &&
        tc qdisc add dev "$UPLINK" parent 1:1 fq_codel &&
        inside_of switch tc qdisc add dev trunk root tbf rate "$rate" burst 64kb latency 20ms
}

cable_out() { inside_of switch ip link set "port-$1" down; } # a|b: disconnects that server
cable_in() { inside_of switch ip link set "port-$1" up; }    # a|b: connects it again
