// The kernel's buffer that one direction of a tunnel goes through: splice(2) moves what has arrived
// from one socket to the other without a copy through the process, and an idle tunnel has no
// buffer of its own.
//
// Thread: the I/O thread. Ownership: owns the pipe's two descriptors. Errors: results; sockets that
// are not ready are would_block.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstddef>

namespace invlog::proxy {

class SplicePipe {
 public:
  SplicePipe() = default;
  ~SplicePipe();
  SplicePipe(const SplicePipe&) = delete;
  SplicePipe& operator=(const SplicePipe&) = delete;

  // Must succeed before anything else is called.
  boost::system::error_code open();

  // Takes what has arrived at `socket`, at most as many bytes as the pipe has room for; 0 without
  // `failure` is the end. The pipe must be empty: a full one would look like a silent socket.
  void fill_from(int socket, boost::system::error_code& failure);
  // Gives `socket` as many bytes as it takes.
  void drain_to(int socket, boost::system::error_code& failure);
  // Bytes in it.
  std::size_t held() const { return held_; }

 private:
  int out_ = -1, in_ = -1;
  std::size_t held_ = 0;
  bool grown_ = false;
};

}  // namespace invlog::proxy
