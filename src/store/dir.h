// What a directory holds, found out before RocksDB is let in.
//
// RocksDB takes a directory without its file CURRENT for an empty one: it would make a new store
// there and delete what data it finds as leftovers. So a directory with data but without CURRENT is
// damaged, and is left alone.
#ifndef GR_STORE_DIR_H
#define GR_STORE_DIR_H

#include "base/error.h"

// Makes the directory, one level, so that it outlives a power cut. Nothing to do when it is there.
// On failure ret_why (why_size bytes) holds a sentence. Errors: GR_ERR_IO, GR_ERR_NO_SPACE.
GR_MUST_USE enum gr_err gr_store_dir_make(const char *dir, char *ret_why, size_t why_size);

// GR_OK when the directory holds a store, GR_ERR_NOT_FOUND when it holds none or does not exist,
// GR_ERR_CORRUPT when it holds the remains of one, GR_ERR_IO. On failure ret_why holds a sentence.
GR_MUST_USE enum gr_err gr_store_dir_look(const char *dir, char *ret_why, size_t why_size);

// GR_ERR_NO_SPACE, with a sentence in ret_why, when the directory's file system has less room than
// RocksDB needs to be opened: on a full disk it ends the process (an assertion) when it writes to
// its LOG again after that has failed once. Room can be gone a moment later; this is no promise.
GR_MUST_USE enum gr_err gr_store_dir_room(const char *dir, char *ret_why, size_t why_size);

#endif
