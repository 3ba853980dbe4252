// The handshake: two nodes that have never met find out that they know the same secret, without
// saying it.
//
// Two people in the dark, each with half of a torn note in mind. Each calls out who he is and a
// word he has just made up; then each says what only somebody who knows the secret can make of
// *both* calls. The dialler's and the acceptor's proofs are made with different labels, so that an
// echo of a proof proves nothing, and over both HELLOs whole, so that nobody in between has changed
// a word.
//
//   H1  A side is DONE only after it has verified a MAC over both HELLOs and what the other has
//       seen of its store, made under the label of the other role, and (the dialler) after it was
//       told that its own was verified.
//   H2  Nothing of the secret but such MACs leaves this file.
//   H3  Before the proof a stranger costs us one struct and at most GR_HANDSHAKE_BYTES_MAX bytes.
//   H4  Whatever came from the other side is printable before it gets into a reason.
//
//      step      dialler (begins at START)           acceptor (begins at HELLO)
//      START     send HELLO -> HELLO
//      HELLO     check HELLO -> PROOF                check HELLO; send HELLO and PROOF -> PROOF
//      PROOF     verify; send PROOF -> WELCOME       verify; send WELCOME -> done
//      WELCOME   WELCOME -> done
//      any       REFUSED, or a check that fails -> refused
//
// Source: DESIGN.md §7. The scheme is ISO/IEC 9798-4 mutual authentication with random numbers.
// Owns: nothing but the struct.
#include "wire/handshake.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "wire/mac.h"

enum step { STEP_START, STEP_HELLO, STEP_PROOF, STEP_WELCOME, STEP_END };

enum message {
    MESSAGE_HELLO = 1,
    MESSAGE_PROOF = 2,
    MESSAGE_WELCOME = 3,
    MESSAGE_REFUSED = 4,
};

enum {
    HEAD_BYTES = 5, // 'G' 'r', type, length of the body
    BODY_BYTES_MAX = GR_HANDSHAKE_BYTES_MAX - HEAD_BYTES,
    PROOF_BYTES = GR_MAC_BYTES + 8,
    SENT_REASON_BYTES_MAX = 200, // leaves room for "the other side refused: "
};

static const uint8_t magic[2] = {'G', 'r'};
static const char *const proof_label[2] = {
    "gramme handshake 3 acceptor",
    "gramme handshake 3 dialler",
};

// ---- messages out ----------------------------------------------------------------------------

static void send_message(struct gr_writer *out, enum message type, struct gr_bytes body)
{
    gr_assert(body.size <= BODY_BYTES_MAX);
    gr_write_bytes(out, gr_bytes(magic, sizeof magic));
    gr_write_u8(out, (uint8_t)type);
    gr_write_u16(out, (uint16_t)body.size);
    gr_write_bytes(out, body);
}

static void end(struct gr_handshake *h, enum gr_handshake_state state)
{
    h->state = state;
    h->step = STEP_END;
    OPENSSL_cleanse(h->self.secret, sizeof h->self.secret);
}

// The reason is in h->reason: one sentence that reads right on both sides.
static void refuse(struct gr_handshake *h, enum gr_handshake_refusal why, struct gr_writer *out)
{
    h->refusal = why;
    struct gr_bytes reason = gr_bytes_text(h->reason);
    struct gr_writer body;
    gr_writer_init(&body, BODY_BYTES_MAX);
    gr_write_u8(&body, (uint8_t)why);
    gr_write_bytes(&body, gr_bytes(reason.data, GR_MIN(reason.size, SENT_REASON_BYTES_MAX)));
    send_message(out, MESSAGE_REFUSED, gr_writer_bytes(&body));
    gr_writer_deinit(&body);
    end(h, GR_HANDSHAKE_REFUSED);
}

#define refuse_with(h, why, out, ...)                                                              \
    do {                                                                                           \
        snprintf((h)->reason, sizeof(h)->reason, __VA_ARGS__);                                     \
        refuse((h), (why), (out));                                                                 \
    } while (0)

// A message that no Gramme node would have sent at this point.
static void refuse_stranger(struct gr_handshake *h, struct gr_writer *out, const char *what)
{
    refuse_with(
        h, GR_REFUSAL_NOT_A_PEER, out, "not a Gramme peer, or damaged on the way: %s", what);
}

static int own_role(const struct gr_handshake *h)
{
    return h->dialled ? 0 : 1;
}

static void send_hello(struct gr_handshake *h, struct gr_writer *out)
{
    const struct gr_handshake_identity *self = &h->self;
    struct gr_writer body;
    gr_writer_init(&body, BODY_BYTES_MAX);
    gr_write_u8(&body, GR_HANDSHAKE_VERSION);
    gr_write_u8(&body, GR_HANDSHAKE_VERSION_MIN);
    gr_write_u8(&body, self->frame_version_min);
    gr_write_u8(&body, self->frame_version_max);
    gr_write_bytes(&body, gr_bytes(self->cluster, sizeof self->cluster));
    gr_write_u32(&body, self->partitions);
    gr_write_u8(&body, self->durability);
    gr_write_u64(&body, self->origin);
    gr_write_u64(&body, self->expected);
    gr_write_u64(&body, self->store);
    gr_write_u64(&body, self->run);
    gr_write_bytes(&body, gr_bytes(h->nonce, sizeof h->nonce));
    gr_write_block(&body, gr_bytes_text(self->name));
    gr_assert(!body.bad);
    int role = own_role(h);
    h->hello_bytes[role] = (uint16_t)body.size;
    memcpy(h->hello[role], body.data, body.size);
    send_message(out, MESSAGE_HELLO, gr_writer_bytes(&body));
    gr_writer_deinit(&body);
}

// The MAC that the side of that role owes the other.
static void make_proof(
    const struct gr_handshake *h, bool dialler, uint64_t seen, uint8_t ret_mac[GR_MAC_BYTES])
{
    struct gr_writer both;
    gr_writer_init(&both, 2 * (2 + GR_HANDSHAKE_BYTES_MAX) + sizeof seen);
    for (int role = 0; role < 2; role++) {
        gr_write_u16(&both, h->hello_bytes[role]);
        gr_write_bytes(&both, gr_bytes(h->hello[role], h->hello_bytes[role]));
    }
    gr_write_u64(&both, seen);
    gr_mac(h->self.secret, proof_label[dialler], gr_writer_bytes(&both), ret_mac);
    gr_writer_deinit(&both);
}

static void send_proof(struct gr_handshake *h, struct gr_writer *out)
{
    const struct gr_handshake_identity *self = &h->self;
    uint64_t seen = self->seen != NULL ? self->seen(self->host, h->peer.store) : 0;
    uint8_t mac[GR_MAC_BYTES];
    make_proof(h, h->dialled, seen, mac);
    struct gr_writer body;
    gr_writer_init(&body, PROOF_BYTES);
    gr_write_bytes(&body, gr_bytes(mac, sizeof mac));
    gr_write_u64(&body, seen);
    send_message(out, MESSAGE_PROOF, gr_writer_bytes(&body));
    gr_writer_deinit(&body);
}

// ---- messages in -----------------------------------------------------------------------------

struct hello {
    uint8_t frame_version_min, frame_version_max;
    const uint8_t *cluster, *nonce;
    uint32_t partitions;
    uint8_t durability;
    uint64_t origin, expected, store, run;
    uint64_t member; // the id of the name
    char name[GR_NAME_BYTES_MAX + 1];
};

// One word that can stand in a log: 1..63 printable ASCII bytes without spaces.
static bool is_name(struct gr_bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return false;
    return name.size > 0 && name.size <= GR_NAME_BYTES_MAX;
}

static bool is_durability(uint8_t durability)
{
    return durability < GR_DURABILITY_COUNT || durability == GR_HANDSHAKE_AGREED;
}

// The rest of a HELLO, behind the versions of the handshake. `later`: with more fields behind it.
static bool parse_hello(struct gr_reader *reader, bool later, struct hello *ret)
{
    ret->frame_version_min = gr_read_u8(reader);
    ret->frame_version_max = gr_read_u8(reader);
    ret->cluster = gr_read_bytes(reader, 16).data;
    ret->partitions = gr_read_u32(reader);
    ret->durability = gr_read_u8(reader);
    ret->origin = gr_read_u64(reader);
    ret->expected = gr_read_u64(reader);
    ret->store = gr_read_u64(reader);
    ret->run = gr_read_u64(reader);
    ret->nonce = gr_read_bytes(reader, GR_HANDSHAKE_NONCE_BYTES).data;
    struct gr_bytes name = gr_read_block(reader, GR_NAME_BYTES_MAX);
    if (reader->bad || (!later && !gr_reader_done(reader)) || !is_name(name) ||
        !is_durability(ret->durability) || ret->frame_version_min > ret->frame_version_max)
        return false;
    ret->member = gr_member_id(name);
    memcpy(ret->name, name.data, name.size);
    ret->name[name.size] = 0;
    return true;
}

enum { CLUSTER_TEXT = 2 * 16 + 1 };

static void id_text(const uint8_t *cluster, char ret[CLUSTER_TEXT])
{
    for (int i = 0; i < 16; i++)
        snprintf(ret + 2 * i, 3, "%02x", cluster[i]);
}

// Whom to upgrade comes first: names may be long, and a log line ends somewhere.
static void refuse_old(struct gr_handshake *h, const char *old, unsigned old_min, unsigned old_max,
    const char *new, unsigned new_min, unsigned new_max, struct gr_writer *out)
{
    refuse_with(h, GR_REFUSAL_VERSION, out,
        "%s is to be upgraded: it speaks frame versions %u to %u, and %s speaks %u to %u", old,
        old_min, old_max, new, new_min, new_max);
}

// Can these two live together? Refuses and returns false if not.
static bool check_cluster(struct gr_handshake *h, const struct hello *peer, struct gr_writer *out)
{
    const struct gr_handshake_identity *self = &h->self;
    if (memcmp(peer->cluster, self->cluster, sizeof self->cluster) != 0) {
        char ours[CLUSTER_TEXT], theirs[CLUSTER_TEXT];
        id_text(self->cluster, ours);
        id_text(peer->cluster, theirs);
        refuse_with(h, GR_REFUSAL_CLUSTER, out, "%s is of cluster %s and %s of cluster %s",
            self->name, ours, peer->name, theirs);
        return false;
    }
    if (peer->partitions != self->partitions) {
        refuse_with(h, GR_REFUSAL_PARTITIONS, out, "%s has %u partitions and %s has %u", self->name,
            (unsigned)self->partitions, peer->name, (unsigned)peer->partitions);
        return false;
    }
    if (peer->origin != 0 && self->origin != 0 && peer->origin != self->origin) {
        refuse_with(h, GR_REFUSAL_FOUNDERS, out,
            "%s and %s were founded with different lists of members", self->name, peer->name);
        return false;
    }
    // Of two cluster files nobody can say which is right. Once one was set, it is.
    bool is_set =
        peer->durability == GR_HANDSHAKE_AGREED || self->durability == GR_HANDSHAKE_AGREED;
    if (!is_set && peer->durability != self->durability) {
        refuse_with(h, GR_REFUSAL_DURABILITY, out, "%s has durability = %s and %s has %s",
            self->name, gr_durability_name((enum gr_durability)self->durability), peer->name,
            gr_durability_name((enum gr_durability)peer->durability));
        return false;
    }
    if (peer->frame_version_max < self->frame_version_min) {
        refuse_old(h, peer->name, peer->frame_version_min, peer->frame_version_max, self->name,
            self->frame_version_min, self->frame_version_max, out);
        return false;
    }
    if (self->frame_version_max < peer->frame_version_min) {
        refuse_old(h, self->name, self->frame_version_min, self->frame_version_max, peer->name,
            peer->frame_version_min, peer->frame_version_max, out);
        return false;
    }
    return true;
}

// Whom the seeker did expect is an id here, which says nothing to people; its own log has the name.
static void refuse_wrong(
    struct gr_handshake *h, const char *seeker, const char *found, struct gr_writer *out)
{
    refuse_with(
        h, GR_REFUSAL_WRONG_MEMBER, out, "%s expected another member, and found %s", seeker, found);
}

// Is this the member that was meant, and another one than ourselves?
static bool check_member(struct gr_handshake *h, const struct hello *peer, struct gr_writer *out)
{
    const struct gr_handshake_identity *self = &h->self;
    uint64_t own = gr_member_id(gr_bytes_text(self->name));
    bool echo = memcmp(peer->nonce, h->nonce, sizeof h->nonce) == 0;
    if (echo || (peer->member == own && peer->run == self->run)) {
        refuse_with(h, GR_REFUSAL_ITSELF, out, "%s talks to itself", self->name);
        return false;
    }
    if (peer->member == own) {
        refuse_with(h, GR_REFUSAL_SAME_MEMBER, out, "two nodes say that they are %s", self->name);
        return false;
    }
    if (self->expected != 0 && self->expected != peer->member) {
        refuse_wrong(h, self->name, peer->name, out);
        return false;
    }
    if (peer->expected != 0 && peer->expected != own) {
        refuse_wrong(h, peer->name, self->name, out);
        return false;
    }
    return true;
}

// Who the other side is cannot be read yet.
static bool check_handshake(
    struct gr_handshake *h, uint8_t version, uint8_t version_min, struct gr_writer *out)
{
    if (version < GR_HANDSHAKE_VERSION_MIN) {
        refuse_with(h, GR_REFUSAL_VERSION, out,
            "a node is to be upgraded: it speaks handshake version %u, and %s speaks %u to %u",
            version, h->self.name, GR_HANDSHAKE_VERSION_MIN, GR_HANDSHAKE_VERSION);
        return false;
    }
    if (version_min > GR_HANDSHAKE_VERSION) {
        refuse_with(h, GR_REFUSAL_VERSION, out,
            "%s is to be upgraded: it speaks handshake versions %u to %u, and another node %u to "
            "%u",
            h->self.name, GR_HANDSHAKE_VERSION_MIN, GR_HANDSHAKE_VERSION, version_min, version);
        return false;
    }
    return true;
}

static void take_hello(struct gr_handshake *h, struct gr_bytes body, struct gr_writer *out)
{
    struct gr_reader reader = gr_reader_of(body);
    uint8_t version = gr_read_u8(&reader), version_min = gr_read_u8(&reader);
    struct hello peer;
    if (!reader.bad && !check_handshake(h, version, version_min, out))
        return;
    if (!parse_hello(&reader, version > GR_HANDSHAKE_VERSION, &peer)) {
        refuse_stranger(h, out, "its HELLO does not parse");
        return;
    }
    if (!check_cluster(h, &peer, out) || !check_member(h, &peer, out))
        return;
    int role = 1 - own_role(h);
    gr_assert(body.size <= sizeof h->hello[role]);
    memcpy(h->hello[role], body.data, body.size);
    h->hello_bytes[role] = (uint16_t)body.size;
    h->peer = (struct gr_handshake_peer){
        .member = peer.member,
        .store = peer.store,
        .run = peer.run,
        .frame_version = GR_MIN(peer.frame_version_max, h->self.frame_version_max),
    };
    memcpy(h->peer.name, peer.name, sizeof h->peer.name);
    h->step = STEP_PROOF;
    if (!h->dialled) {
        send_hello(h, out);
        send_proof(h, out);
    }
}

static void take_proof(struct gr_handshake *h, struct gr_bytes body, struct gr_writer *out)
{
    struct gr_reader reader = gr_reader_of(body);
    struct gr_bytes claimed = gr_read_bytes(&reader, GR_MAC_BYTES);
    uint64_t seen = gr_read_u64(&reader);
    uint8_t mac[GR_MAC_BYTES];
    make_proof(h, !h->dialled, seen, mac); // H1: the other role's label
    if (!gr_reader_done(&reader) || !gr_mac_equal(mac, claimed.data, sizeof mac)) {
        refuse_with(h, GR_REFUSAL_SECRET, out, "%s and %s do not have the same cluster secret",
            h->self.name, h->peer.name);
        return;
    }
    h->peer.seen = seen;
    if (h->dialled) {
        send_proof(h, out);
        h->step = STEP_WELCOME;
        return;
    }
    send_message(out, MESSAGE_WELCOME, gr_bytes("", 0));
    end(h, GR_HANDSHAKE_DONE);
}

// The other side's words, for our log.
static void take_refused(struct gr_handshake *h, struct gr_bytes body)
{
    struct gr_reader reader = gr_reader_of(body);
    uint8_t why = gr_read_u8(&reader);
    struct gr_bytes text = gr_read_bytes(&reader, gr_reader_left(&reader));
    size_t size = (size_t)snprintf(h->reason, sizeof h->reason, "the other side refused: ");
    size_t room = GR_MIN(SENT_REASON_BYTES_MAX, sizeof h->reason - 1 - size);
    for (size_t i = 0; i < text.size && i < room; i++) {
        bool printable = text.data[i] >= ' ' && text.data[i] <= '~'; // H4
        h->reason[size++] = printable ? (char)text.data[i] : '?';
    }
    h->reason[size] = 0;
    // A reason that we do not know is one of a later version.
    bool known = why > GR_REFUSAL_NONE && why < GR_REFUSAL_COUNT;
    h->refusal = known ? (enum gr_handshake_refusal)why : GR_REFUSAL_VERSION;
    h->refused_by_peer = true;
    end(h, GR_HANDSHAKE_REFUSED);
}

static void take(struct gr_handshake *h, uint8_t type, struct gr_bytes body, struct gr_writer *out)
{
    if (type == MESSAGE_REFUSED)
        take_refused(h, body);
    else if (type == MESSAGE_HELLO && h->step == STEP_HELLO)
        take_hello(h, body, out);
    else if (type == MESSAGE_PROOF && h->step == STEP_PROOF)
        take_proof(h, body, out);
    else if (type == MESSAGE_WELCOME && h->step == STEP_WELCOME && body.size == 0)
        end(h, GR_HANDSHAKE_DONE);
    else
        refuse_stranger(h, out, "a message out of order");
}

// ---- the machine -----------------------------------------------------------------------------

void gr_handshake_init(struct gr_handshake *h, const struct gr_handshake_identity *self,
    bool dialled, const uint8_t nonce[GR_HANDSHAKE_NONCE_BYTES])
{
    gr_assert(memchr(self->name, 0, sizeof self->name) != NULL);
    gr_assert(is_name(gr_bytes_text(self->name)));
    gr_assert(self->expected <= GR_MEMBER_ID_MAX && is_durability(self->durability));
    gr_assert(self->frame_version_min <= self->frame_version_max);
    *h = (struct gr_handshake){
        .state = GR_HANDSHAKE_IN_PROGRESS,
        .self = *self,
        .dialled = dialled,
        .step = dialled ? STEP_START : STEP_HELLO,
    };
    memcpy(h->nonce, nonce, sizeof h->nonce);
}

// The next whole message. False when there is none: more bytes are needed, or what is there cannot
// be the beginning of one and the handshake is over.
static bool next_message(struct gr_handshake *h, struct gr_bytes input, struct gr_writer *out,
    uint8_t *ret_type, struct gr_bytes *ret_body)
{
    if (input.size == 0)
        return false;
    for (size_t i = 0; i < GR_MIN(input.size, sizeof magic); i++)
        if (input.data[i] != magic[i]) {
            refuse_stranger(h, out, "it does not begin a message as one");
            return false;
        }
    if (input.size < HEAD_BYTES)
        return false;
    struct gr_reader reader = gr_reader_of(input);
    (void)gr_read_bytes(&reader, sizeof magic);
    uint8_t type = gr_read_u8(&reader);
    size_t length = gr_read_u16(&reader);
    if (length > BODY_BYTES_MAX) {
        refuse_stranger(h, out, "a message is too long");
        return false;
    }
    if (gr_reader_left(&reader) < length)
        return false;
    *ret_type = type;
    *ret_body = gr_read_bytes(&reader, length);
    return true;
}

enum gr_handshake_state gr_handshake_feed(
    struct gr_handshake *h, struct gr_bytes input, size_t *ret_consumed, struct gr_writer *out)
{
    *ret_consumed = 0;
    if (h->step == STEP_START) {
        send_hello(h, out);
        h->step = STEP_HELLO;
    }
    while (h->state == GR_HANDSHAKE_IN_PROGRESS) {
        uint8_t type;
        struct gr_bytes body;
        if (!next_message(h, input, out, &type, &body))
            break;
        take(h, type, body, out);
        size_t size = HEAD_BYTES + body.size;
        input = gr_bytes(input.data + size, input.size - size);
        *ret_consumed += size;
    }
    return h->state;
}
