// One request and its response in HTTP/1.1 on an upstream connection.
//
// Thread, ownership and errors: as upstream_exchange.h says.
#pragma once

#include <string>
#include <string_view>

#include "agent/capture/http1_parser.h"
#include "agent/capture/upstream_connection.h"
#include "agent/capture/upstream_exchange.h"

namespace invlog::capture {

class Http1Client : public UpstreamExchange {
 public:
  // `head`: the request's, up to and including the empty line. `keep_raw`: the response's head is
  // kept as received, and pieces come with what they were decoded from.
  Http1Client(UpstreamConnection& connection, std::string_view head, bool keep_raw = false);

  Task<void> begin(std::string_view body, bool end, error_code& failure) override;
  Task<void> send(std::string_view body, bool end, error_code& failure) override;
  bool answered() override;
  Task<std::string> read_head(bool answers_head_request, ResponseHead& head) override;
  Piece buffered() override;
  Task<Piece> next() override;
  std::uint64_t remaining() const override { return remaining_; }
  bool nothing_received() const override { return !received_; }
  bool reusable() const override { return reusable_ && sent_; }
  const Headers& trailers() const override { return parser_.trailers; }

 private:
  Piece decode();
  // So that something can be read behind end_.
  void make_room();

  UpstreamConnection& connection_;
  std::string_view request_head_;
  const bool keeps_raw_;
  Http1Parser parser_;
  std::string& buffer_;  // the connection's
  std::size_t begin_ = 0, end_ = 0;
  std::string decoded_;
  std::uint64_t remaining_ = 0;
  bool last_read_filled_ = false;
  bool received_ = false, reusable_ = false, ended_ = false;
  bool sent_ = false;  // the request to its end
};

}  // namespace invlog::capture
