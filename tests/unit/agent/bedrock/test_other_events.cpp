#include "agent/bedrock/other_events.h"

#include "tests/catch.h"

using namespace invlog::bedrock;

TEST_CASE("events are elements of a JSON array, in base64 if they are no JSON") {
  OtherEvents events;
  CHECK(events.elements().empty());
  events.add("a", "{\"b\":1}", true);
  events.add("c", "no json", false);
  CHECK(events.elements() ==
        R"({"type":"a","payload":{"b":1}},{"type":"c","payload":"bm8ganNvbg=="})");
  CHECK(events.left_out() == 0);
}

TEST_CASE("events are kept up to a number, and the others counted") {
  OtherEvents events;
  std::string all;
  for (std::size_t at = 0; at < OtherEvents::kMostEvents; ++at) {
    events.add("a", "1", true);
    all = events.elements();
  }
  CHECK(events.left_out() == 0);
  events.add("a", "1", true);
  events.add("a", "1", true);
  CHECK(events.elements() == all);
  CHECK(events.left_out() == 2);
}

TEST_CASE("events are kept up to so many bytes, and none behind one that was left out") {
  const std::string half(OtherEvents::kMostBytes / 2, '1');
  for (const std::string& long_one : {half, std::string(OtherEvents::kMostBytes + 1, '1')}) {
    for (const bool json : {true, false}) {
      OtherEvents events;
      events.add("a", half.substr(0, half.size() / 2), true);
      events.add("b", half.substr(0, half.size() / 4), true);
      CHECK(events.left_out() == 0);
      const std::string kept = events.elements();
      events.add("c", long_one, json);
      events.add("c", long_one, json);
      events.add("d", "1", true);
      CHECK(events.elements().size() <= OtherEvents::kMostBytes);
      CHECK(events.left_out() >= 2);
      CHECK(events.elements().find("\"d\"") == std::string::npos);
      CHECK(events.elements().starts_with(kept));
    }
  }
}
