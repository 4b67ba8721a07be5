#include "agent/proxy/certificate_files.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "storage/time_text.h"

namespace invlog::proxy {
namespace {

constexpr std::size_t kMostFileBytes = 16 << 20;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : "";
}

std::string common_name_of(X509_NAME* name) {
  std::array<char, 256> text{};
  X509_NAME_get_text_by_NID(name, NID_commonName, text.data(), static_cast<int>(text.size()));
  return text.data();
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1
             ? std::chrono::system_clock::from_time_t(::timegm(&parts))
             : std::chrono::system_clock::time_point{};
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string text;
  for (unsigned int at = 0; at < size; ++at) {
    text += at == 0 ? "" : ":";
    text += kDigits[digest[at] >> 4];
    text += kDigits[digest[at] & 15];
  }
  return text;
}

std::vector<std::string> permitted_by(const X509* certificate) {
  std::vector<std::string> names;
  auto* constraints = static_cast<NAME_CONSTRAINTS*>(
      X509_get_ext_d2i(certificate, NID_name_constraints, nullptr, nullptr));
  if (constraints == nullptr) {
    return names;
  }
  for (int at = 0; at < sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees); ++at) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(
        sk_GENERAL_SUBTREE_value(constraints->permittedSubtrees, at)->base, &type);
    if (type == GEN_DNS) {
      const auto* text = static_cast<const ASN1_STRING*>(value);
      names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                         static_cast<std::size_t>(ASN1_STRING_length(text)));
    }
  }
  NAME_CONSTRAINTS_free(constraints);
  return names;
}

tl::expected<std::string, std::string> whole_file(const std::string& path) {
  const auto failure = [&](const std::string& cause) {
    return tl::unexpected(path + " cannot be read: " + cause);
  };
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    return failure(std::strerror(errno));
  }
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};
  struct stat about {};
  if (::fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
    return failure("it is no file");
  }
  std::string text;
  std::array<char, 65536> buffer{};
  ssize_t count = 0;
  while ((count = ::read(descriptor, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > kMostFileBytes) {
      return failure("it is larger than 16 MiB");
    }
  }
  return count < 0 ? failure(std::strerror(errno)) : tl::expected<std::string, std::string>(text);
}

struct Parsed {
  Certificates certificates;
  bool damaged = false;  // something in it is no certificate
};

Parsed parse(const std::string& text) {
  Parsed parsed;
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  while (bio) {
    ERR_clear_error();
    Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate) {
      parsed.certificates.push_back(std::move(certificate));
    } else if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
      break;  // the end
    } else {
      parsed.damaged = true;
      if (BIO_eof(bio.get())) {
        break;
      }
    }
  }
  ERR_clear_error();
  return parsed;
}

}  // namespace

CertificateFacts facts_of(const X509* certificate) {
  return {common_name_of(X509_get_subject_name(certificate)),
          common_name_of(X509_get_issuer_name(certificate)),
          fingerprint_of(certificate),
          time_of(X509_get0_notBefore(certificate)),
          expiry_of(certificate),
          permitted_by(certificate)};
}

std::chrono::system_clock::time_point expiry_of(const X509* certificate) {
  return time_of(X509_get0_notAfter(certificate));
}

std::string readable_time(std::chrono::system_clock::time_point time) {
  return storage::iso_seconds(
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

std::string pem_of(const X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return text_of(bio.get());
}

std::string pem_of(const Certificates& certificates) {
  std::string text;
  for (const Certificate& certificate : certificates) {
    text += pem_of(certificate.get());
  }
  return text;
}

std::string der_of(const X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  std::string text(reinterpret_cast<const char*>(bytes),
                   size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(bytes);
  return text;
}

bool is_unreadable(const std::string& path) {
  return ::access(path.c_str(), R_OK) != 0 && errno == EACCES;
}

tl::expected<Certificates, std::string> certificates_in(const std::string& path) {
  const auto text = whole_file(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  Parsed parsed = parse(*text);
  if (parsed.damaged || parsed.certificates.empty()) {
    return tl::unexpected(path + (parsed.damaged ? " is damaged: part of it is no certificate"
                                                 : " is damaged: there is no certificate in it"));
  }
  return std::move(parsed.certificates);
}

Certificates readable_certificates_in(const std::string& path) {
  const auto text = whole_file(path);
  return text ? parse(*text).certificates : Certificates();
}

}  // namespace invlog::proxy
