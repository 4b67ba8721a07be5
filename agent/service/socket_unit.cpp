#include "agent/service/socket_unit.h"

#include <systemd/sd-bus.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace invlog::service {
namespace {

constexpr std::uint64_t kPatienceUs = 1'000'000;
constexpr const char* kSystemd = "org.freedesktop.systemd1";

struct BusCloser {
  void operator()(sd_bus* bus) const { ::sd_bus_flush_close_unref(bus); }
};
struct MessageCloser {
  void operator()(sd_bus_message* message) const { ::sd_bus_message_unref(message); }
};
struct Freer {
  void operator()(char* text) const { std::free(text); }
};
using Bus = std::unique_ptr<sd_bus, BusCloser>;
using Message = std::unique_ptr<sd_bus_message, MessageCloser>;
using Text = std::unique_ptr<char, Freer>;

Bus system_bus() {
  sd_bus* bus = nullptr;
  if (::sd_bus_open_system(&bus) < 0)
    return nullptr;
  ::sd_bus_set_method_call_timeout(bus, kPatienceUs);
  return Bus(bus);
}

bool is_active(sd_bus* bus, const char* path) {
  char* state = nullptr;
  if (::sd_bus_get_property_string(bus, kSystemd, path, "org.freedesktop.systemd1.Unit",
                                   "ActiveState", nullptr, &state) < 0)
    return false;
  return Text(state).get() == std::string_view("active");
}

}  // namespace

std::vector<std::string> stream_sockets_of_unit(const std::string& unit) {
  std::vector<std::string> sockets;
  const Bus bus = system_bus();
  char* encoded = nullptr;
  if (!bus || ::sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &encoded) < 0)
    return sockets;
  const Text path(encoded);
  sd_bus_message* reply = nullptr;
  if (!is_active(bus.get(), path.get()) ||
      ::sd_bus_get_property(bus.get(), kSystemd, path.get(), "org.freedesktop.systemd1.Socket",
                            "Listen", nullptr, &reply, "a(ss)") < 0)
    return sockets;
  const Message message(reply);
  const char* type = nullptr;
  const char* address = nullptr;
  if (::sd_bus_message_enter_container(reply, 'a', "(ss)") < 0)
    return sockets;
  while (::sd_bus_message_read(reply, "(ss)", &type, &address) > 0) {
    if (type == std::string_view("Stream"))
      sockets.push_back((address[0] == '/' ? "unix:" : "") + std::string(address));
  }
  return sockets;
}

}  // namespace invlog::service
