#include "exporters/aws/curl_library.h"

#include <dlfcn.h>

#include <new>
#include <stdexcept>

namespace invlog::aws {
namespace {

// The name under which libcurl has been installed since its version 7.16.
constexpr const char* kName = "libcurl.so.4";

[[noreturn]] void refuse(const std::string& reason) {
  throw std::runtime_error("libcurl cannot be used: " + reason +
                           ": install it (Debian's package libcurl4)");
}

std::string loader_reason() {
  const char* const reason = ::dlerror();
  return reason == nullptr ? "no reason known" : reason;
}

template <typename Function>
void find(void* library, Function*& function, const char* name) {
  void* const found = ::dlsym(library, name);
  if (found == nullptr) {
    refuse(loader_reason());
  }
  function = reinterpret_cast<Function*>(found);
}

CurlLibrary load() {
  void* const library = ::dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    refuse(loader_reason());
  }
  CurlLibrary curl{};
  find(library, curl.easy_cleanup, "curl_easy_cleanup");
  find(library, curl.easy_getinfo, "curl_easy_getinfo");
  find(library, curl.easy_init, "curl_easy_init");
  find(library, curl.easy_reset, "curl_easy_reset");
  find(library, curl.easy_setopt, "curl_easy_setopt");
  find(library, curl.easy_strerror, "curl_easy_strerror");
  find(library, curl.free, "curl_free");
  find(library, curl.getdate, "curl_getdate");
  find(library, curl.global_init, "curl_global_init");
  find(library, curl.multi_add_handle, "curl_multi_add_handle");
  find(library, curl.multi_cleanup, "curl_multi_cleanup");
  find(library, curl.multi_info_read, "curl_multi_info_read");
  find(library, curl.multi_init, "curl_multi_init");
  find(library, curl.multi_perform, "curl_multi_perform");
  find(library, curl.multi_poll, "curl_multi_poll");
  find(library, curl.multi_remove_handle, "curl_multi_remove_handle");
  find(library, curl.slist_append, "curl_slist_append");
  find(library, curl.slist_free_all, "curl_slist_free_all");
  find(library, curl.url, "curl_url");
  find(library, curl.url_cleanup, "curl_url_cleanup");
  find(library, curl.url_get, "curl_url_get");
  find(library, curl.url_set, "curl_url_set");
  const CURLcode code = curl.global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) {
    refuse(curl.easy_strerror(code));
  }
  return curl;
}

}  // namespace

const CurlLibrary& CurlLibrary::get() {
  static const CurlLibrary library = load();
  return library;
}

std::string CurlLibrary::problem() {
  try {
    get();
    return "";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

CurlUrl new_curl_url() {
  CurlUrl url(CurlLibrary::get().url());
  if (url == nullptr) {
    throw std::bad_alloc();
  }
  return url;
}

std::string curl_url_part(const CurlUrl& url, CURLUPart part, unsigned int flags) {
  const CurlLibrary& curl = CurlLibrary::get();
  char* text = nullptr;
  if (curl.url_get(url.get(), part, &text, flags) != CURLUE_OK) {
    return "";
  }
  const std::unique_ptr<char, decltype(curl.free)> owner(text, curl.free);
  return text;
}

}  // namespace invlog::aws
