// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What carries the packets of flows that have been decided on (ADR 14). It looks up, counts, rewrites and redirects;
// whatever it does not know goes up to the program by the punt device. It holds no rule: every decision in its tables was
// made by that program, which also owns the tables. `fabric/layout.rs` has the same structures.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define swap16(x) __builtin_bswap16(x)
#define ICMPV6 58

static void *(*map_lookup)(void *, const void *) = (void *)BPF_FUNC_map_lookup_elem;
static __u64 (*now_ns)(void) = (void *)BPF_FUNC_ktime_get_coarse_ns;
static long (*redirect)(__u32, __u64) = (void *)BPF_FUNC_redirect;
static long (*redirect_peer)(__u32, __u64) = (void *)BPF_FUNC_redirect_peer;
static long (*pull_data)(struct __sk_buff *, __u32) = (void *)BPF_FUNC_skb_pull_data;
static long (*change_type)(struct __sk_buff *, __u32) = (void *)BPF_FUNC_skb_change_type;
static long (*store)(struct __sk_buff *, __u32, const void *, __u32, __u64) = (void *)BPF_FUNC_skb_store_bytes;
static long (*l3_replace)(struct __sk_buff *, __u32, __u64, __u64, __u64) = (void *)BPF_FUNC_l3_csum_replace;
static long (*l4_replace)(struct __sk_buff *, __u32, __u64, __u64, __u64) = (void *)BPF_FUNC_l4_csum_replace;
static __s64 (*csum_diff)(const void *, __u32, const void *, __u32, __u32) = (void *)BPF_FUNC_csum_diff;

// What flows are told apart by.
struct key4 {
	__u8 src[4], dst[4];
	__u32 from;
	__u16 ports[2];
	__u8 protocol, zero[3];
};
struct key6 {
	__u8 src[16], dst[16];
	__u32 from;
	__u16 ports[2];
	__u8 protocol, zero[3];
};

// A device. Its name is its place in the table and how often that place was used before.
struct port {
	__u32 name, ifindex;
	__u8 mac[6];
	__u16 is_pair;
	__u32 begun, zero;
};

struct flow {
	__u32 epoch, out;
	__u64 packets, bytes, first, last;
	__u32 round, idle_secs;
	__u16 mtu;
	__u8 what, hops;
	__u8 to_mac[6], dst_mac[6];
	// The next cache line; of most flows, packets need only its first six bytes.
	__u8 src_mac[6];
	__u16 src_port;
	__u32 guard, begun;
	__u16 dst_port;
	__u8 ttl_above, zero[5];
	__u8 src[16], dst[16];
	__u32 flags, unused;
};

enum { DENY = 1, GUARDED = 2, SRC = 4, DST = 8, SRC_PORT = 16, DST_PORT = 32, REMEMBERED = 64 };

struct control {
	__u32 epoch, round, punt, closed;
};

struct map {
	__u32 type, key_size, value_size, max_entries, flags;
};
#define MAPPED BPF_F_MMAPABLE
// No two devices have the same lower bits in their numbers.
#define DEVICE_PLACES (1 << 17)
// The program says how many entries there are.
struct map SEC("maps") CONTROL = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct control), 1, MAPPED };
struct map SEC("maps") PORTS = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct port), 1, MAPPED };
struct map SEC("maps") FLOWS = { BPF_MAP_TYPE_ARRAY, 4, sizeof(struct flow), 1, MAPPED };
struct map SEC("maps") DEVICES = { BPF_MAP_TYPE_ARRAY, 4, 8, DEVICE_PLACES, MAPPED };
struct map SEC("maps") INDEX4 = { BPF_MAP_TYPE_HASH, sizeof(struct key4), 4, 1, BPF_F_NO_PREALLOC };
struct map SEC("maps") INDEX6 = { BPF_MAP_TYPE_HASH, sizeof(struct key6), 4, 1, BPF_F_NO_PREALLOC };

#define PORT_PLACES ((1 << 20) - 1)
// Ethernet, IPv6 and TCP without options.
#define HEADERS 74

// Of a packet, what is needed behind the lookup.
struct packet {
	__u32 ip_len, headers, l4;
	__u8 protocol, is_v6, ttl, tcp_flags;
};

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

INLINE int transport(struct packet *p, __u8 *at, void *end, __u16 ports[2], __u8 request, __u8 reply)
{
	if ((void *)(at + 8) > end)
		return 0;
	ports[0] = *(__u16 *)at;
	ports[1] = *(__u16 *)(at + 2);
	if (p->protocol == IPPROTO_TCP) {
		if ((void *)(at + 20) > end || at[12] < 0x50)
			return 0;
		p->tcp_flags = at[13];
		p->headers += at[12] >> 4 << 2;
	} else if (p->protocol == IPPROTO_UDP) {
		__u32 length = swap16(*(__u16 *)(at + 4));
		if (length < 8 || p->headers + length > p->ip_len)
			return 0;
		p->headers += 8;
	} else {
		if ((at[0] != request && at[0] != reply) || at[1])
			return 0;
		// The identifier, then type and code.
		ports[1] = ports[0];
		ports[0] = *(__u16 *)(at + 4);
		p->headers += 8;
	}
	return p->headers <= p->ip_len;
}

// Finds the flow of a packet that is of the plainest kind: no options, no fragment.
INLINE struct flow *find(struct __sk_buff *skb, struct packet *p, __u32 from)
{
	__u8 *data = (void *)(long)skb->data, *ip = data + ETH_HLEN;
	void *end = (void *)(long)skb->data_end;
	__u32 *at = 0;
	if (skb->protocol == swap16(ETH_P_IP)) {
		struct key4 key = {};
		if ((void *)(ip + 20) > end || ip[0] != 0x45 || *(__u16 *)(ip + 6) & swap16(0x3fff))
			return 0;
		p->protocol = ip[9];
		if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP && p->protocol != IPPROTO_ICMP)
			return 0;
		p->ip_len = swap16(*(__u16 *)(ip + 2));
		p->l4 = ETH_HLEN + 20;
		p->headers = 20;
		p->ttl = ip[8];
		if (!transport(p, ip + 20, end, key.ports, 8, 0))
			return 0;
		__builtin_memcpy(key.src, ip + 12, 8);
		key.from = from;
		key.protocol = p->protocol;
		at = map_lookup(&INDEX4, &key);
	} else if (skb->protocol == swap16(ETH_P_IPV6)) {
		struct key6 key = {};
		if ((void *)(ip + 40) > end || ip[0] >> 4 != 6)
			return 0;
		p->is_v6 = 1;
		p->protocol = ip[6];
		if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP && p->protocol != ICMPV6)
			return 0;
		p->ip_len = 40 + swap16(*(__u16 *)(ip + 4));
		p->l4 = ETH_HLEN + 40;
		p->headers = 40;
		p->ttl = ip[7];
		if (!transport(p, ip + 40, end, key.ports, 128, 129))
			return 0;
		__builtin_memcpy(key.src, ip + 8, 32);
		key.from = from;
		key.protocol = p->protocol;
		at = map_lookup(&INDEX6, &key);
	}
	if (!at || ETH_HLEN + p->ip_len > skb->len)
		return 0;
	return map_lookup(&FLOWS, at);
}

INLINE int same_mac(const __u8 *a, const __u8 *b)
{
	return *(__u16 *)a == *(__u16 *)b && *(__u16 *)(a + 2) == *(__u16 *)(b + 2) && *(__u16 *)(a + 4) == *(__u16 *)(b + 4);
}

// Replaces an address, of 4 or 16 bytes.
INLINE int address(struct __sk_buff *skb, struct packet *p, __u32 at, __u8 *to, __u32 l4_sum, __u64 how)
{
	__u8 *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	if (p->is_v6) {
		__u8 from[16];
		if ((void *)(data + at + 16) > end)
			return -1;
		__builtin_memcpy(from, data + at, 16);
		__s64 sum = csum_diff((void *)from, 16, to, 16, 0);
		return l4_replace(skb, l4_sum, 0, sum, BPF_F_PSEUDO_HDR | how) || store(skb, at, to, 16, 0);
	}
	if ((void *)(data + at + 4) > end)
		return -1;
	__u32 from = *(__u32 *)(data + at), with = *(__u32 *)to;
	if (p->protocol != IPPROTO_ICMP && l4_replace(skb, l4_sum, from, with, BPF_F_PSEUDO_HDR | how | 4))
		return -1;
	return l3_replace(skb, ETH_HLEN + 10, from, with, 4) || store(skb, at, to, 4, 0);
}

INLINE int word(struct __sk_buff *skb, __u32 at, __u16 to, __u32 l4_sum, __u64 how)
{
	__u8 *data = (void *)(long)skb->data;
	if ((void *)(data + at + 2) > (void *)(long)skb->data_end)
		return -1;
	__u16 from = *(__u16 *)(data + at);
	return l4_replace(skb, l4_sum, from, to, how | 2) || store(skb, at, &to, 2, 0);
}

// Writes what gateways replace, and takes the hops that the way has.
INLINE int translate(struct __sk_buff *skb, struct packet *p, struct flow *flow)
{
	int is_icmp = p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP;
	__u32 l4 = p->l4, sum = l4 + (p->protocol == IPPROTO_TCP ? 16 : p->protocol == IPPROTO_UDP ? 6 : 2);
	__u64 how = p->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__u32 src = ETH_HLEN + (p->is_v6 ? 8 : 12), dst = ETH_HLEN + (p->is_v6 ? 24 : 16);
	if (flow->what & SRC && address(skb, p, src, flow->src, sum, how))
		return -1;
	if (flow->what & DST && address(skb, p, dst, flow->dst, sum, how))
		return -1;
	if (flow->what & SRC_PORT && word(skb, is_icmp ? l4 + 4 : l4, flow->src_port, sum, how))
		return -1;
	if (flow->what & DST_PORT && word(skb, l4 + 2, flow->dst_port, sum, how))
		return -1;
	if (!flow->hops)
		return 0;
	__u8 *data = (void *)(long)skb->data;
	__u32 at = ETH_HLEN + (p->is_v6 ? 6 : 8);
	if ((void *)(data + at + 2) > (void *)(long)skb->data_end)
		return -1;
	__u16 from = *(__u16 *)(data + at), to = p->is_v6 ? from - (flow->hops << 8) : from - flow->hops;
	if (!p->is_v6 && l3_replace(skb, ETH_HLEN + 10, from, to, 2))
		return -1;
	return store(skb, at, &to, 2, 0);
}

// Whether what was decided on the flow holds for this packet.
INLINE int holds(struct __sk_buff *skb, struct packet *p, struct flow *flow, struct control *control, __u64 now)
{
	__u8 *data = (void *)(long)skb->data;
	__u32 longest = p->ip_len;
	if ((void *)(data + ETH_HLEN) > (void *)(long)skb->data_end || flow->epoch != control->epoch)
		return 0;
	if (skb->gso_size && p->headers + skb->gso_size < longest)
		longest = p->headers + skb->gso_size;
	if (longest > flow->mtu || p->ttl <= flow->ttl_above || !same_mac(data, flow->to_mac))
		return 0;
	if ((__s64)(now - flow->last) > (__s64)flow->idle_secs * 1000000000)
		return 0;
	// The daemon finds FIN among the flags that were counted.
	if (!(flow->what & DENY))
		return !(p->tcp_flags & (SYN | RST));
	// What is refused further on may still end the connection that its sender tracks.
	if (flow->what & REMEMBERED && p->tcp_flags & (FIN | RST))
		return 0;
	if (flow->what & GUARDED) {
		__u32 at = flow->guard & PORT_PLACES;
		struct port *guard = map_lookup(&PORTS, &at);
		return guard && guard->name == flow->guard && guard->begun == flow->begun;
	}
	return 1;
}

// A super-frame counts as the segments that it stands for, each with its headers.
INLINE void count(struct __sk_buff *skb, struct packet *p, struct flow *flow, struct control *control, __u64 now)
{
	__u32 packets = 1, bytes = p->ip_len, size = skb->gso_size;
	__u32 flags = p->tcp_flags & (FIN | SYN | RST);
	if (size && p->ip_len > p->headers + size) {
		packets = (p->ip_len - p->headers + size - 1) / size;
		bytes += (packets - 1) * p->headers;
	}
	if (flow->round != control->round) {
		flow->round = control->round;
		flow->first = now;
	}
	flow->last = now;
	if (flags & SYN)
		flags |= p->tcp_flags & ACK;
	if (flags)
		__sync_fetch_and_or(&flow->flags, flags);
	// Whoever takes them looks at the packets first: what is counted here meanwhile is never left behind.
	__sync_fetch_and_add(&flow->bytes, bytes);
	__sync_fetch_and_add(&flow->packets, packets);
}

// The frame goes up, with the name of its port in place of its source.
INLINE int punt(struct __sk_buff *skb, struct port *port, struct control *control, int is_own)
{
	struct { __u8 kind, zero; __u32 name; } __attribute__((packed)) source = { is_own ? 2 : 6, 0, port->name };
	if (store(skb, ETH_ALEN, &source, ETH_ALEN, 0))
		return TC_ACT_SHOT;
	return redirect(control->punt, 0);
}

SEC("classifier")
int forward(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex, device = ifindex & (DEVICE_PLACES - 1), zero = 0;
	struct control *control = map_lookup(&CONTROL, &zero);
	__u32 *place = map_lookup(&DEVICES, &device);
	if (!control || !place)
		return TC_ACT_SHOT;
	struct port *port = map_lookup(&PORTS, place);
	// A device that is no port, or no longer.
	if (!port || port->ifindex != ifindex)
		return TC_ACT_SHOT;
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	// All headers in one piece, unless they already are.
	if (end - data < HEADERS && skb->len > end - data) {
		pull_data(skb, skb->len < HEADERS ? skb->len : HEADERS);
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
	}
	if (data + ETH_HLEN > end)
		return TC_ACT_SHOT;
	int is_own = same_mac(data + ETH_ALEN, port->mac);
	if (!is_own || control->closed)
		return punt(skb, port, control, is_own);

	struct packet packet = {};
	struct flow *flow = find(skb, &packet, port->name);
	__u64 now = now_ns();
	if (!flow || !holds(skb, &packet, flow, control, now))
		return punt(skb, port, control, 1);
	if (flow->what & DENY) {
		count(skb, &packet, flow, control, now);
		return TC_ACT_SHOT;
	}
	__u32 at = flow->out & PORT_PLACES;
	struct port *out = map_lookup(&PORTS, &at);
	if (!out || out->name != flow->out || !out->ifindex)
		return punt(skb, port, control, 1);
	count(skb, &packet, flow, control, now);
	if ((flow->what & ~(DENY | GUARDED | REMEMBERED) || flow->hops) && translate(skb, &packet, flow))
		return TC_ACT_SHOT;
	if (store(skb, 0, flow->dst_mac, 2 * ETH_ALEN, 0))
		return TC_ACT_SHOT;
	if (skb->pkt_type != PACKET_HOST)
		change_type(skb, PACKET_HOST);
	return out->is_pair ? redirect_peer(out->ifindex, 0) : redirect(out->ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
