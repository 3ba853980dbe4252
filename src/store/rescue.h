// What is left of a RocksDB store that cannot be opened; see gr_store_rescue.
#ifndef GR_STORE_RESCUE_H
#define GR_STORE_RESCUE_H

#include "base/error.h"

// As gr_store_rescue, for the engine `rocksdb`.
GR_MUST_USE enum gr_err gr_rescue_rocksdb(
    const char *dir, const char *copy, char *ret_why, size_t why_size);

#endif
