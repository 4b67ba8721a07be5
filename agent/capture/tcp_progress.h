// How many bytes the other end's TCP has acknowledged on a connection.
//
// Why: a request on a reused connection may be sent again only if the server had closed before it
// took any of it. The FIN that announces the close acknowledges what was received before it, so
// this count tells (Linux tcp(7), TCP_INFO, tcpi_bytes_acked). After a reset it does not: the
// kernel drops what that acknowledges.
#pragma once

#include <cstdint>
#include <optional>

namespace invlog::capture {

// Empty if the kernel does not say.
std::optional<std::uint64_t> tcp_bytes_acknowledged(int descriptor);

}  // namespace invlog::capture
