#include "exporters/cloudwatch_logs/event_cutting.h"

#include <algorithm>
#include <array>
#include <bit>

namespace invlog::exporters {
namespace {

// Deeper than the bodies of Bedrock's models go; bounds recursion and the time for a body that was
// made to be slow.
constexpr int kDeepestLevel = 24;
// If fair shares are smaller than this, the first ones get this much and the last ones nothing.
constexpr std::size_t kSmallestElement = 256;
constexpr std::size_t kSmallestMember = 48;

// The bytes at which a scan stops; several times faster than std::string_view::find_first_of.
class ByteSet {
 public:
  constexpr explicit ByteSet(std::string_view bytes) {
    for (const char byte : bytes) {
      has_[static_cast<unsigned char>(byte)] = true;
    }
  }
  // The first of them at or after `at`, else the end of the text.
  std::size_t find(std::string_view text, std::size_t at) const {
    while (at < text.size() && !has_[static_cast<unsigned char>(text[at])]) {
      ++at;
    }
    return std::min(at, text.size());
  }

 private:
  std::array<bool, 256> has_{};
};
constexpr ByteSet kEndOfScalar(",]}: \n\r\t");
constexpr ByteSet kInString("\"\\");
constexpr ByteSet kInContainer("\"{}[]");

// Walks over valid JSON; on anything else it stops at the end of the text at the latest.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  void skip_space() {
    while (!at_end() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  void skip_one() { at_ = std::min(at_ + 1, text_.size()); }

  // The value that begins here, without the white space around it.
  std::string_view value() {
    skip_space();
    const std::size_t start = at_;
    switch (peek()) {
      case '"':
        skip_string();
        break;
      case '{':
      case '[':
        skip_container();
        break;
      default:
        at_ = kEndOfScalar.find(text_, at_);
    }
    return text_.substr(start, at_ - start);
  }

 private:
  void skip_string() {
    ++at_;
    while (true) {
      at_ = kInString.find(text_, at_);
      if (at_end()) {
        return;
      }
      if (text_[at_] == '"') {
        ++at_;
        return;
      }
      at_ = std::min(at_ + 2, text_.size());
    }
  }

  void skip_container() {
    std::size_t open = 0;
    do {
      at_ = kInContainer.find(text_, at_);
      if (at_end()) {
        return;
      }
      if (text_[at_] == '"') {
        skip_string();
        continue;
      }
      open += text_[at_] == '{' || text_[at_] == '[' ? 1 : static_cast<std::size_t>(-1);
      ++at_;
    } while (open != 0 && !at_end());
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// One element or member of a container.
struct Child {
  std::string_view key;  // with its quotes; "" in an array
  std::string_view value;
  std::size_t overhead() const { return 1 + (key.empty() ? 0 : key.size() + 1); }  // ',' and ':'
  std::size_t size() const { return overhead() + value.size(); }
};

// The children of a container, in order.
class Children {
 public:
  explicit Children(std::string_view container)
      : scanner_(container), object_(container.starts_with('{')) {
    scanner_.skip_one();
  }

  bool next(Child& child) {
    scanner_.skip_space();
    if (scanner_.peek() == ',') {
      scanner_.skip_one();
      scanner_.skip_space();
    }
    if (scanner_.at_end() || scanner_.peek() == ']' || scanner_.peek() == '}') {
      return false;
    }
    child.key = {};
    if (object_) {
      if (scanner_.peek() != '"') {
        return false;
      }
      child.key = scanner_.value();
      scanner_.skip_space();
      scanner_.skip_one();
    }
    child.value = scanner_.value();
    return !child.value.empty();
  }

 private:
  Scanner scanner_;
  bool object_;
};

// Finds the largest share so that all children together, each at most that long, fit; counts sizes
// by powers of two instead of keeping each, and so errs on the small side.
class FairShare {
 public:
  void add(std::size_t size) {
    const auto power = static_cast<std::size_t>(std::bit_width(size));
    ++count_[power];
    bytes_[power] += size;
  }

  std::size_t of(std::size_t budget) const {
    std::size_t smaller = 0;  // bytes of the children below this power
    std::size_t larger = 0;   // children from this power on
    for (const std::size_t count : count_) {
      larger += count;
    }
    for (std::size_t power = 0; power < count_.size() && larger > 0; ++power) {
      const std::size_t share = smaller > budget ? 0 : (budget - smaller) / larger;
      if (static_cast<std::size_t>(std::bit_width(share)) <= power) {
        return share;
      }
      smaller += bytes_[power];
      larger -= count_[power];
    }
    return budget;
  }

 private:
  std::array<std::size_t, 65> count_{}, bytes_{};
};

// Of the escape that `text` begins with; two that make one character count as one.
std::size_t escape_length(std::string_view text) {
  if (!text.starts_with("\\u")) {
    return 2;
  }
  const bool high_surrogate = text.size() >= 8 && (text[2] == 'd' || text[2] == 'D') &&
                              std::string_view("89abAB").find(text[3]) != std::string_view::npos;
  return high_surrogate && text.substr(6, 2) == "\\u" ? 12 : 6;
}

// How many bytes of the inside of a JSON string may stay, at most `most`.
std::size_t whole_characters(std::string_view inside, std::size_t most) {
  if (inside.size() <= most) {
    return inside.size();
  }
  std::size_t end = most;
  for (std::size_t at = inside.find('\\'); at < most; at = inside.find('\\', at)) {
    const std::size_t length = escape_length(inside.substr(at));
    if (at + length > most) {
      return at;
    }
    at += length;
  }
  while (end > 0 && (static_cast<unsigned char>(inside[end]) & 0xC0) == 0x80) {
    --end;
  }
  return end;
}

// Appends at most `budget` bytes of `value`; false, and nothing appended, if none of it fits.
bool append_cut(std::string& out, std::string_view value, std::size_t budget, int level);

bool append_cut_string(std::string& out, std::string_view value, std::size_t budget) {
  if (budget < 2) {
    return false;
  }
  const std::string_view inside =
      value.substr(1, value.size() - std::min<std::size_t>(value.size(), 2));
  out += '"';
  out.append(inside, 0, whole_characters(inside, budget - 2));
  out += '"';
  return true;
}

// The children of one object or array, as far as they fit.
class ContainerCut {
 public:
  // `room`: bytes for the children and the commas between them.
  ContainerCut(std::string& out, std::string_view container, std::size_t room, int level)
      : out_(out),
        container_(container),
        object_(container.starts_with('{')),
        level_(level),
        start_(out.size()),
        left_(room + 1) {}  // every child counts with a comma, and the first has none

  void append_children() {
    const std::size_t share = share_of_each();
    std::size_t surplus = 0;  // what earlier ones left of their shares
    Child child;
    for (Children children(container_); children.next(child);) {
      const std::size_t used = append(child, std::min({child.size(), share + surplus, left_}));
      if (used == 0 && !object_) {
        return;  // an array keeps its first elements
      }
      left_ -= used;
      if (used > 0 && child.size() > share) {
        surplus = share + surplus - used;
      }
    }
  }

 private:
  std::size_t share_of_each() const {
    FairShare fair;
    Child child;
    for (Children children(container_); children.next(child);) {
      fair.add(child.size());
    }
    return std::max(fair.of(left_), object_ ? kSmallestMember : kSmallestElement);
  }

  // The bytes used, a comma among them; 0 if the child does not fit.
  std::size_t append(const Child& child, std::size_t allowed) {
    if (allowed <= child.overhead()) {
      return 0;
    }
    const std::size_t before = out_.size();
    if (before != start_) {
      out_ += ',';
    }
    if (object_) {
      out_.append(child.key).append(":");
    }
    if (!append_cut(out_, child.value, allowed - child.overhead(), level_ + 1)) {
      out_.resize(before);
      return 0;
    }
    return out_.size() - before + (before == start_ ? 1 : 0);
  }

  std::string& out_;
  const std::string_view container_;
  const bool object_;
  const int level_;
  const std::size_t start_;
  std::size_t left_;
};

bool append_cut_container(std::string& out, std::string_view value, std::size_t budget, int level) {
  if (budget < 2) {
    return false;
  }
  out += value.front();
  if (level < kDeepestLevel) {
    ContainerCut(out, value, budget - 2, level).append_children();
  }
  out += value.starts_with('{') ? '}' : ']';
  return true;
}

bool append_cut(std::string& out, std::string_view value, std::size_t budget, int level) {
  if (value.size() <= budget) {
    out += value;
    return true;
  }
  switch (value.front()) {
    case '"':
      return append_cut_string(out, value, budget);
    case '{':
    case '[':
      return append_cut_container(out, value, budget, level);
    default:
      return false;  // a number without its last digits is another number
  }
}

}  // namespace

std::string cut_json(std::string_view json, std::size_t budget) {
  const std::string_view value = Scanner(json).value();
  std::string out;
  out.reserve(std::min(value.size(), budget));
  if (!value.empty() && !append_cut(out, value, budget, 0) && budget >= 4) {
    out = "null";
  }
  return out;
}

}  // namespace invlog::exporters
