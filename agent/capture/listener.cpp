#include "agent/capture/listener.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include "agent/capture/rare_warning.h"
#include "agent/capture/refused_connection.h"
#include "agent/config/setting_checks.h"

namespace invlog::capture {
namespace {

using TcpAcceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using UnixAcceptor = asio::basic_socket_acceptor<asio::local::stream_protocol, Executor>;

void prepare(asio::basic_stream_socket<asio::ip::tcp, Executor>& socket) {
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
}
void prepare(asio::basic_stream_socket<asio::local::stream_protocol, Executor>&) {}

// Serves one connection; what it throws (only lack of memory) ends the connection, not the agent.
Task<void> serve(StreamSocket socket, SessionServices& services, const Entrance& entrance) {
  try {
    co_await serve_connection(std::move(socket), services, entrance);
  } catch (const std::exception& failure) {
    spdlog::error("connection ended: {}", failure.what());
  }
}

// The same for one that there is no room for.
Task<void> refuse(StreamSocket socket, SessionServices& services) {
  try {
    co_await refuse_connection(std::move(socket), services);
  } catch (const std::exception& failure) {
    spdlog::error("refused connection ended: {}", failure.what());
  }
}

// Whether there is room for one more connection, if need be that of one which waits for its client.
// Closing ends its session a little later, so sessions may for moments be more than the limit.
bool makes_room(SessionServices& services) {
  return services.sessions.size() < services.options.max_connections ||
         services.sessions.close_longest_idle(std::chrono::steady_clock::now());
}

bool is_out_of_descriptors(const error_code& failure) {
  return failure == asio::error::no_descriptors ||
         failure == boost::system::errc::too_many_files_open_in_system;
}

// Without waiting to see which protocol it speaks: where too many wait for that, or on a stop. What
// fits the socket's empty buffer is sent at once or not at all.
template <class Socket>
void refuse_at_once(Socket& socket, SessionServices& services) {
  const std::string text = last_response_text(too_many_connections(services.options));
  error_code ignored;
  socket.non_blocking(true, ignored);
  // What is left unread at the close would have the kernel reset the connection, and the answer
  // with it.
  char unread[16 * 1024];
  socket.read_some(asio::buffer(unread), ignored);
  socket.write_some(asio::buffer(text), ignored);
  socket.shutdown(asio::socket_base::shutdown_send, ignored);
}

template <class Acceptor>
Task<void> accept_all(Acceptor& acceptor, SessionServices& services, const Entrance& entrance) {
  using Protocol = typename Acceptor::protocol_type;
  RareWarning cannot_accept, too_many;
  const Executor executor = acceptor.get_executor();
  while (acceptor.is_open()) {
    asio::basic_stream_socket<Protocol, Executor> socket(executor);
    error_code failure;
    co_await acceptor.async_accept(socket, asio::redirect_error(use_task, failure));
    // What was accepted just before the stop is served still, unless nothing is any more.
    if ((failure && !acceptor.is_open()) || services.sessions.closed())
      break;
    if (failure) {
      // Out of descriptors or memory: what is open must finish first, or be closed where nobody
      // needs it just now.
      const auto now = std::chrono::steady_clock::now();
      cannot_accept.say(now, "cannot accept a connection: " + failure.message());
      if (is_out_of_descriptors(failure) && services.sessions.close_longest_idle(now)) {
        co_await asio::post(executor, use_task);
        continue;
      }
      asio::basic_waitable_timer<std::chrono::steady_clock,
                                 asio::wait_traits<std::chrono::steady_clock>, Executor>
          pause(executor, std::chrono::milliseconds(200));
      co_await pause.async_wait(asio::redirect_error(use_task, failure));
      continue;
    }
    if (!makes_room(services)) {
      too_many.say(std::chrono::steady_clock::now(),
                   "refused a connection: all max_connections have a call under way");
      ++services.counts.connections_refused;
      if (services.refused.size() < kMostRefusedWaiting && !services.refused.closed()) {
        prepare(socket);
        asio::co_spawn(executor, refuse(StreamSocket(std::move(socket)), services), asio::detached);
      } else {
        refuse_at_once(socket, services);
      }
      continue;
    }
    prepare(socket);
    asio::co_spawn(executor, serve(StreamSocket(std::move(socket)), services, entrance),
                   asio::detached);
  }
}

// Keeps the acceptor alive as long as its coroutine runs.
template <class State>
void run(const std::shared_ptr<State>& state, SessionServices& services, const Entrance& entrance) {
  asio::co_spawn(
      state->acceptor.get_executor(),
      [](std::shared_ptr<State> kept, SessionServices& served, const Entrance& by) -> Task<void> {
        co_await accept_all(kept->acceptor, served, by);
      }(state, services, entrance),
      asio::detached);
}

std::string address_text(const TcpAcceptor& acceptor) {
  error_code ignored;
  const asio::ip::tcp::endpoint endpoint = acceptor.local_endpoint(ignored);
  return config::host_and_port(endpoint.address().to_string(), endpoint.port());
}

}  // namespace

std::unique_ptr<Listener> adopt_listener(Executor executor, int descriptor,
                                         SessionServices& services, const Entrance& entrance,
                                         bool allow_remote) {
  constexpr int kListening = 1;
  if (::sd_is_socket(descriptor, AF_UNIX, SOCK_STREAM, kListening) > 0)
    return std::make_unique<UnixListener>(executor, descriptor, services, entrance);
  const std::string which = "socket " + std::to_string(descriptor) + " of the service manager ";
  if (::sd_is_socket_inet(descriptor, AF_UNSPEC, SOCK_STREAM, kListening, 0) <= 0) {
    throw std::runtime_error(which +
                             "is no listening stream socket: the socket unit needs ListenStream= "
                             "and Accept=no");
  }
  auto listener = std::make_unique<TcpListener>(executor, descriptor, services, entrance);
  if (!allow_remote && !listener->is_local()) {
    throw std::runtime_error(
        which + "listens on " + listener->address() +
        ", which is not a loopback address: whoever reaches the agent calls "
        "Bedrock with its credentials; change ListenStream= in the socket unit, or set "
        "allow_remote");
  }
  return listener;
}

struct TcpListener::State {
  explicit State(Executor executor) : acceptor(executor) {}
  TcpAcceptor acceptor;
};

struct UnixListener::State {
  explicit State(Executor executor) : acceptor(executor) {}
  UnixAcceptor acceptor;
};

TcpListener::TcpListener(Executor executor, const std::string& host, std::uint16_t port,
                         SessionServices& services, const Entrance& entrance)
    : state_(std::make_shared<State>(executor)) {
  const std::string where = "listen on " + host + ":" + std::to_string(port) + ": ";
  error_code failure;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, failure);
  if (failure)
    throw std::runtime_error(where + "the host must be an IP address or localhost");
  const asio::ip::tcp::endpoint endpoint(address, port);
  TcpAcceptor& acceptor = state_->acceptor;
  acceptor.open(endpoint.protocol(), failure);
  if (!failure)
    acceptor.set_option(asio::socket_base::reuse_address(true), failure);
  if (!failure)
    acceptor.bind(endpoint, failure);
  if (!failure)
    acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure)
    throw std::runtime_error(where + failure.message());
  run(state_, services, entrance);
}

TcpListener::TcpListener(Executor executor, int descriptor, SessionServices& services,
                         const Entrance& entrance)
    : state_(std::make_shared<State>(executor)) {
  const bool v6 = ::sd_is_socket_inet(descriptor, AF_INET6, 0, -1, 0) > 0;
  state_->acceptor.assign(v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), descriptor);
  run(state_, services, entrance);
}

TcpListener::~TcpListener() {
  stop();
}

std::string TcpListener::address() const {
  return address_text(state_->acceptor);
}

std::uint16_t TcpListener::port() const {
  error_code ignored;
  return state_->acceptor.local_endpoint(ignored).port();
}

bool TcpListener::is_local() const {
  error_code ignored;
  return state_->acceptor.local_endpoint(ignored).address().is_loopback();
}

void TcpListener::stop() {
  error_code ignored;
  state_->acceptor.close(ignored);
}

UnixListener::UnixListener(Executor executor, const std::string& path, SessionServices& services,
                           const Entrance& entrance, Access access)
    : state_(std::make_shared<State>(executor)), path_(path) {
  const std::string where = "listen on " + path + ": ";
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    throw std::runtime_error(where + "the path is too long for a Unix socket");
  }
  const asio::local::stream_protocol::endpoint endpoint(path);
  error_code failure;
  struct stat information {};
  if (::lstat(path.c_str(), &information) == 0) {
    if (!S_ISSOCK(information.st_mode)) {
      throw std::runtime_error(where + "the file exists and is no socket");
    }
    asio::basic_stream_socket<asio::local::stream_protocol, Executor> probe(executor);
    probe.connect(endpoint, failure);
    if (!failure)
      throw std::runtime_error(where + "another process listens there");
    ::unlink(path.c_str());
  }
  UnixAcceptor& acceptor = state_->acceptor;
  acceptor.open(endpoint.protocol(), failure);
  if (!failure)
    acceptor.bind(endpoint, failure);
  // To connect is to write; nobody can before it listens.
  if (!failure && ::chmod(path.c_str(), static_cast<mode_t>(access)) != 0)
    failure.assign(errno, boost::system::system_category());
  if (!failure)
    acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (failure)
    throw std::runtime_error(where + failure.message());
  run(state_, services, entrance);
}

UnixListener::UnixListener(Executor executor, int descriptor, SessionServices& services,
                           const Entrance& entrance)
    : state_(std::make_shared<State>(executor)) {
  state_->acceptor.assign(asio::local::stream_protocol(), descriptor);
  run(state_, services, entrance);
}

UnixListener::~UnixListener() {
  stop();
}

std::string UnixListener::address() const {
  error_code ignored;
  return "unix:" + state_->acceptor.local_endpoint(ignored).path();
}

void UnixListener::stop() {
  if (!state_->acceptor.is_open())
    return;
  error_code ignored;
  state_->acceptor.close(ignored);
  if (!path_.empty())
    ::unlink(path_.c_str());
}

}  // namespace invlog::capture
