// A connection that writes to a store beside its writer, in the agent or in another process: for
// what is no record and must not wait in the writer's queue. SQLite's lock orders its transactions
// with the writer's commits, so they are to be short.
//
// Threads: the connection belongs to one thread at a time. Errors: one line for a person, with the
// file's name.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "storage/store_file.h"

namespace invlog::storage {

// `vfs`: SQLite VFS by name, "" the default. `why`: what needs to write, for the message when it
// may not ("delivery keeps its cursor there").
tl::expected<Connection, std::string> connect_beside_writer(const std::string& store_path,
                                                            const std::string& vfs,
                                                            std::string_view why);

}  // namespace invlog::storage
