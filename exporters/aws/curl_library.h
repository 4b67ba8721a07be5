// libcurl, loaded when the first call of our own is made. It brings 22 libraries with it (its
// other protocols), a fifth of what an agent has resident and half of the time in which a command
// starts; an agent that neither delivers nor fetches credentials, and most commands, never need it.
//
// Threads: any. Ownership: what is loaded stays until the program ends. Errors: what cannot be
// loaded is tried again at the next call; get() throws std::runtime_error with the loader's reason.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace invlog::aws {

// Named as in libcurl's manual, without "curl_".
struct CurlLibrary {
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_free) free;
  decltype(&::curl_getdate) getdate;
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_multi_add_handle) multi_add_handle;
  decltype(&::curl_multi_cleanup) multi_cleanup;
  decltype(&::curl_multi_info_read) multi_info_read;
  decltype(&::curl_multi_init) multi_init;
  decltype(&::curl_multi_perform) multi_perform;
  decltype(&::curl_multi_poll) multi_poll;
  decltype(&::curl_multi_remove_handle) multi_remove_handle;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_url) url;
  decltype(&::curl_url_cleanup) url_cleanup;
  decltype(&::curl_url_get) url_get;
  decltype(&::curl_url_set) url_set;

  // Loaded and initialized.
  static const CurlLibrary& get();
  // Why get() would throw, "" if it would not: for what must go on without libcurl.
  static std::string problem();
};

struct CurlUrlDeleter {
  void operator()(CURLU* url) const { CurlLibrary::get().url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlDeleter>;

// Throws std::bad_alloc.
CurlUrl new_curl_url();

// A part of a URL (curl_url_get(3)), "" if the URL has none; `flags` are CURLU_...
std::string curl_url_part(const CurlUrl& url, CURLUPart part, unsigned int flags = 0);

}  // namespace invlog::aws
