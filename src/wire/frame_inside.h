// Shared by frame.c and frame_entropy.c.
#ifndef GR_WIRE_FRAME_INSIDE_H
#define GR_WIRE_FRAME_INSIDE_H

#include "wire/field.h"
#include "wire/frame.h"

// What PROBED, COVER, COVERED and COUNT have: partition list.
void gr_frame_write_partitions(struct gr_field_out *out, const struct gr_message *m);
void gr_frame_read_partitions(struct gr_field_in *in, struct gr_message *m);

// What a message of anti-entropy (PROBE to WITNESS) has behind its status and its key.
void gr_frame_write_entropy(struct gr_field_out *out, uint8_t version, const struct gr_message *m);
void gr_frame_read_entropy(struct gr_field_in *in, uint8_t version, struct gr_message *m);

#endif
