#include "agent/capture/http1_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>

namespace invlog::capture {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kUsualHeaders = 16;

namespace {

// Nothing if there is none, or more than one.
std::optional<std::string_view> only_value(const Headers& headers, std::string_view name) {
  const auto of_name = [&](const Header& header) {
    return equal_ignoring_case(header.first, name);
  };
  if (std::count_if(headers.begin(), headers.end(), of_name) != 1)
    return std::nullopt;
  return find_header(headers, name);
}

}  // namespace

// Beast's parser reports into the Http1Parser that owns it.
template <bool is_request>
class Http1Parser::Parser : public http::basic_parser<is_request> {
 public:
  explicit Parser(Http1Parser& owner) : owner_(owner) {
    this->header_limit(static_cast<std::uint32_t>(kMaxHeadBytes));
    this->body_limit(boost::none);
  }

 protected:
  void on_request_impl(http::verb, beast::string_view method, beast::string_view target,
                       int version, error_code&) override {
    owner_.method.assign(method.data(), method.size());
    owner_.target.assign(target.data(), target.size());
    owner_.minor_version = version % 10;
  }
  void on_response_impl(int status, beast::string_view reason, int version, error_code&) override {
    owner_.status = status;
    owner_.reason.assign(reason.data(), reason.size());
    owner_.minor_version = version % 10;
  }
  void on_field_impl(http::field, beast::string_view name, beast::string_view value,
                     error_code& failure) override {
    if (owner_.head_done_) {
      owner_.trailer_bytes_ += name.size() + value.size() + 4;
      if (owner_.trailer_bytes_ > kMaxHeadBytes)
        failure = http::error::header_limit;
    }
    Headers& headers = owner_.head_done_ ? owner_.trailers : owner_.headers;
    if (headers.empty())
      headers.reserve(kUsualHeaders);
    headers.emplace_back(std::string(name.data(), name.size()),
                         std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override { owner_.head_done_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code&) override {
    owner_.body_->append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(error_code&) override { owner_.done_ = true; }

 private:
  Http1Parser& owner_;
};

// One of the two instantiations, in place.
class Http1Parser::Core {
 public:
  std::optional<Parser<true>> request;
  std::optional<Parser<false>> response;
};

Http1Parser::Http1Parser(Kind kind) : kind_(kind), core_(std::make_unique<Core>()) {
  begin();
}
Http1Parser::~Http1Parser() = default;

void Http1Parser::begin(bool no_body) {
  method.clear();
  target.clear();
  reason.clear();
  headers.clear();
  trailers.clear();
  error_.clear();
  status = 0;
  minor_version = 1;
  framing = Framing::none;
  content_length = 0;
  head_done_ = done_ = false;
  head_bytes_ = trailer_bytes_ = 0;
  if (kind_ == Kind::request) {
    core_->request.emplace(*this);
  } else {
    core_->response.emplace(*this);
    core_->response->skip(no_body);
  }
}

bool Http1Parser::step(std::string_view bytes, std::size_t& consumed, bool until_head) {
  const auto put = [&](auto& parser) {
    parser.eager(!until_head);
    consumed = 0;
    while (consumed < bytes.size() && !done_ && !(until_head && head_done_)) {
      error_code failure;
      const std::size_t used = parser.put(
          boost::asio::const_buffer(bytes.data() + consumed, bytes.size() - consumed), failure);
      consumed += used;
      if (failure == http::error::need_more)
        return true;
      if (failure) {
        error_ = failure.message();
        return false;
      }
      if (used == 0)
        return true;
    }
    return true;
  };
  return kind_ == Kind::request ? put(*core_->request) : put(*core_->response);
}

bool Http1Parser::feed_head(std::string_view bytes, std::size_t& consumed) {
  if (!step(bytes, consumed, true))
    return false;
  head_bytes_ += consumed;
  if (!head_done_) {
    if (head_bytes_ + (bytes.size() - consumed) > kMaxHeadBytes) {
      error_ = "header over " + std::to_string(kMaxHeadBytes / 1024) + " KiB";
      return false;
    }
    return true;
  }
  const auto classify = [&](const auto& parser) {
    if (parser.chunked()) {
      framing = Framing::chunked;
    } else if (const auto length = parser.content_length()) {
      framing = Framing::length;
      content_length = *length;
    } else {
      framing = kind_ == Kind::response && parser.need_eof() ? Framing::until_close : Framing::none;
    }
    if (done_ && framing != Framing::length)
      framing = Framing::none;
  };
  if (kind_ == Kind::request) {
    classify(*core_->request);
    error_ = request_problem();
    if (!error_.empty())
      return false;
  } else {
    classify(*core_->response);
    if (done_)
      framing = Framing::none;
  }
  return true;
}

// What a server may read otherwise than this parser does: the request's end would be another there.
std::string Http1Parser::request_problem() const {
  // Another coding, or chunked with a parameter or in a list, would not be undone or not be passed
  // on.
  const auto coding = only_value(headers, "transfer-encoding");
  const bool one_chunked = coding && equal_ignoring_case(*coding, "chunked");
  if (has_header(headers, "transfer-encoding") && !(one_chunked && framing == Framing::chunked))
    return "a transfer coding that is not chunked alone";
  // Faulty framing (RFC 9112 §6.1).
  if (minor_version == 0 && framing == Framing::chunked)
    return "a transfer coding in HTTP/1.0";
  // RFC 9112 §3.2: whom the request is for must not depend on who reads it.
  if (has_header(headers, "host") && !only_value(headers, "host"))
    return "more than one Host";
  return "";
}

bool Http1Parser::feed_chunked(std::string_view bytes, std::size_t& consumed, std::string& body) {
  body_ = &body;
  return step(bytes, consumed, false);
}

}  // namespace invlog::capture
