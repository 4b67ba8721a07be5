#include "agent/residency/trail_text.h"

#include <zlib.h>

#include <functional>
#include <new>
#include <utility>
#include <vector>

namespace invlog::residency {
namespace {

constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::size_t kPortion = 64 << 10;

}  // namespace

// gzip (RFC 1952), as it comes.
class TrailText::Inflater {
 public:
  using Take = std::function<void(std::string_view)>;

  Inflater() : buffer_(kPortion) {
    constexpr int kGzipOnly = 15 + 16;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // "" or what is wrong; then there is no use in going on.
  std::string feed(std::string_view bytes, const Take& take) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    while (problem_.empty() && (stream_.avail_in > 0 || full_)) {
      if (ended_ && !begin_member()) {
        break;
      }
      step(take);
    }
    return problem_;
  }

  bool whole() const { return ended_ || padding_; }
  bool failed() const { return !problem_.empty(); }

 private:
  // Zeros behind a member are padding, as gzip has it.
  bool begin_member() {
    while (stream_.avail_in > 0 && *stream_.next_in == 0) {
      ++stream_.next_in;
      --stream_.avail_in;
      padding_ = true;
    }
    if (stream_.avail_in == 0) {
      return false;
    }
    if (padding_) {
      problem_ = "behind the gzip data is something else";
      return false;
    }
    inflateReset(&stream_);
    ended_ = false;
    return true;
  }

  void step(const Take& take) {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_out = static_cast<uInt>(buffer_.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    full_ = stream_.avail_out == 0;
    const std::size_t length = buffer_.size() - stream_.avail_out;
    if (length > 0) {
      take({buffer_.data(), length});
    }
    if (result == Z_STREAM_END) {
      ended_ = true;
      full_ = false;
    } else if (result == Z_BUF_ERROR) {
      full_ = false;  // it needs more
    } else if (result != Z_OK) {
      problem_ = std::string("the gzip data is damaged (") +
                 (stream_.msg != nullptr ? stream_.msg : "zlib error") + ")";
    }
  }

  z_stream stream_{};
  std::vector<char> buffer_;
  std::string problem_;
  bool ended_ = false, padding_ = false, full_ = false;
};

TrailText::TrailText(std::string name, TrailSink& sink)
    : name_(std::move(name)),
      sink_(sink),
      elements_([this](std::string& text, std::uint64_t offset) { element(text, offset); },
                [this](std::uint64_t offset, const std::string& what) { problem(offset, what); }) {}

TrailText::~TrailText() = default;

void TrailText::element(std::string& text, std::uint64_t offset) {
  const auto event = reader_.read(text);
  if (event) {
    sink_.event(*event);
  } else {
    problem(offset, event.error());
  }
}

void TrailText::problem(std::optional<std::uint64_t> offset, const std::string& what) {
  if (problems_++ < kMostProblems) {
    sink_.problem({name_, offset, what});
  } else if (problems_ == kMostProblems + 1) {
    sink_.problem({name_, offset, "there are more problems from here on, which are not listed"});
  }
}

void TrailText::feed(std::string_view bytes) {
  if (decided_) {
    feed_decided(bytes);
    return;
  }
  first_.append(bytes);
  if (first_.size() < kGzipMagic.size()) {
    return;
  }
  decided_ = true;
  if (first_.starts_with(kGzipMagic)) {
    inflater_ = std::make_unique<Inflater>();
  }
  feed_decided(std::exchange(first_, {}));
}

void TrailText::feed_decided(std::string_view bytes) {
  if (!inflater_) {
    elements_.feed(bytes);
    return;
  }
  if (inflater_->failed()) {
    return;
  }
  const std::string wrong =
      inflater_->feed(bytes, [this](std::string_view plain) { elements_.feed(plain); });
  if (!wrong.empty()) {
    problem(elements_.bytes(), wrong + "; what stands before counts");
  }
}

void TrailText::finish() {
  if (!decided_) {
    elements_.feed(first_);
    if (first_.empty()) {
      problem(0, "the file is empty");
    }
  }
  if (!inflater_) {
    elements_.finish();
  } else if (!inflater_->failed()) {
    inflater_->whole()
        ? elements_.finish()
        : problem(elements_.bytes(), "the gzip data ends in the middle; what stands before counts");
  }
}

}  // namespace invlog::residency
