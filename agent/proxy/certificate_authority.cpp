#include "agent/proxy/certificate_authority.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "agent/proxy/authority_files.h"
#include "agent/proxy/bedrock_hosts.h"
#include "agent/proxy/certificate_builder.h"
#include "agent/proxy/certificate_files.h"

namespace invlog::proxy {
namespace {

constexpr const char* kMakeAnew =
    "; put it back from a backup, or remove ca.pem and run `invlog ca init` (programs then need "
    "the "
    "new ca.pem)";

// No passphrase is asked for on a terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) {
  return -1;
}

tl::expected<PrivateKey, std::string> read_key(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    return tl::unexpected(path + " cannot be read: " + std::strerror(errno) +
                          (errno == ENOENT   ? kMakeAnew
                           : errno == EACCES ? "; it must belong to the user that runs the agent"
                                             : ""));
  }
  std::unique_ptr<BIO, decltype(&::BIO_free)> bio(BIO_new_fd(descriptor, BIO_CLOSE), ::BIO_free);
  if (!bio) {
    ::close(descriptor);
    return tl::unexpected(path + " cannot be read: no memory");
  }
  struct stat about {};
  if (::fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
    return tl::unexpected(path + " cannot be read: it is no file");
  }
  if ((about.st_mode & 077) != 0) {
    return tl::unexpected(path + " can be read by others than its owner: chmod 600 " + path +
                          "; if others may have read it, remove ca.pem and run `invlog ca init`");
  }
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  take_openssl_reason();
  if (!key) {
    return tl::unexpected(path +
                          " is damaged, or protected by a passphrase: no private key could "
                          "be read" +
                          kMakeAnew);
  }
  return key;
}

Certificates::iterator of_key(Certificates& certificates, EVP_PKEY* key) {
  const auto found =
      std::find_if(certificates.begin(), certificates.end(), [&](const Certificate& certificate) {
        return X509_check_private_key(certificate.get(), key) == 1;
      });
  take_openssl_reason();
  return found;
}

// That of this key and what follows it; what stands before is of a rotation that was cut off.
tl::expected<Certificates, std::string> read_crosses(const std::string& path, EVP_PKEY* key) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return Certificates();
  }
  auto certificates = certificates_in(path);
  if (!certificates) {
    return tl::unexpected(certificates.error() +
                          "; put it back from a backup, or remove it: programs then need the new "
                          "ca.pem");
  }
  certificates->erase(certificates->begin(), of_key(*certificates, key));
  return certificates;
}

// RFC 5280 §4.2.1.10: the name itself, and what has labels before it.
bool is_permitted(const std::vector<std::string>& names, const std::string& host) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return host == name || (host.ends_with(name) && host[host.size() - name.size() - 1] == '.');
  });
}

std::string not_permitted(const X509* authority, const std::string& host) {
  std::string names;
  for (const std::string& name : facts_of(authority).permitted) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return "the certificate authority does not permit " + host + ": it was made for " +
         (names.empty() ? "no name" : names) +
         "; `invlog ca rotate` makes one for what is "
         "configured now";
}

// What to do where ca.pem gave this error.
std::string without_certificates(const std::string& state_dir, const std::string& error) {
  const std::string path = CertificateAuthority::certificate_path(state_dir);
  if (::access(path.c_str(), R_OK) == 0) {
    return error + kMakeAnew;
  }
  return errno == ENOENT || errno == ENOTDIR
             ? "there is no certificate authority in " + state_dir + ": `invlog ca init` makes one"
             : error;
}

Certificate copy_of(const Certificate& certificate) {
  if (X509_up_ref(certificate.get()) != 1) {
    throw std::runtime_error("a certificate cannot be shared" + take_openssl_reason());
  }
  return Certificate(certificate.get());
}

bool is_valid_at(const X509* certificate, CertificateAuthority::Time now) {
  const CertificateFacts facts = facts_of(certificate);
  return facts.not_before <= now && now < facts.not_after;
}

}  // namespace

bool CertificateAuthority::exists(const std::string& state_dir) {
  std::error_code ignored;
  return std::filesystem::exists(certificate_path(state_dir), ignored);
}

std::string CertificateAuthority::certificate_path(const std::string& state_dir) {
  return state_dir + "/ca.pem";
}

tl::expected<CertificateAuthority, std::string> CertificateAuthority::load(
    const std::string& state_dir, Time now) {
  auto authority = read(state_dir);
  if (!authority) {
    return authority;
  }
  if (const std::string problem = authority->validity_problem(now); !problem.empty()) {
    return tl::unexpected(certificate_path(state_dir) + ": " + problem);
  }
  return authority;
}

tl::expected<CertificateAuthority, std::string> CertificateAuthority::read(
    const std::string& state_dir) {
  const std::string path = certificate_path(state_dir);
  auto trusted = certificates_in(path);
  if (!trusted) {
    return tl::unexpected(without_certificates(state_dir, trusted.error()));
  }
  auto key = read_key(key_path_in(state_dir));
  if (!key) {
    return tl::unexpected(key.error());
  }
  const auto found = of_key(*trusted, key->get());
  if (found == trusted->end()) {
    return tl::unexpected(key_path_in(state_dir) + " is not the key of a certificate in " + path +
                          kMakeAnew);
  }
  Certificate certificate = std::move(*found);
  if (X509_check_ca(certificate.get()) != 1) {
    return tl::unexpected(path + " is no certificate authority's certificate" + kMakeAnew);
  }
  auto crosses = read_crosses(cross_path_in(state_dir), key->get());
  if (!crosses) {
    return tl::unexpected(crosses.error());
  }
  return CertificateAuthority(std::move(certificate), std::move(*crosses), std::move(*key));
}

std::string CertificateAuthority::validity_problem(Time now) const {
  const CertificateFacts facts = facts_of(certificate_.get());
  if (now >= facts.not_after) {
    return "the certificate authority expired at " + readable_time(facts.not_after) +
           "; `invlog ca rotate` makes a new one (programs then need the new ca.pem)";
  }
  return now < facts.not_before
             ? "the certificate authority is not valid before " + readable_time(facts.not_before) +
                   ": is this host's clock right?"
             : "";
}

tl::expected<Leaf, std::string> CertificateAuthority::issue(const std::string& host,
                                                            Time now) const {
  if (const std::string problem = validity_problem(now); !problem.empty()) {
    return tl::unexpected(problem);
  }
  if (dns_name_of(host) != host || !is_permitted(facts_of(certificate_.get()).permitted, host)) {
    return tl::unexpected(not_permitted(certificate_.get(), host));
  }
  try {
    Leaf leaf;
    leaf.key = new_private_key();
    CertificateBuilder builder(leaf.key.get());
    builder.set_subject({host.size() <= kLongestCommonName
                             ? CertificateBuilder::NamePart{NID_commonName, host}
                             : CertificateBuilder::NamePart{NID_organizationName, "invlog"}});
    const Time end = std::min<Time>(now + kLeafLife, expiry_of(certificate_.get()));
    leaf.valid_from = now - kClockTolerance;
    builder.set_validity(leaf.valid_from, end);
    builder.add_server_use(host);
    leaf.certificate = std::move(builder).sign(certificate_.get(), key_.get());
    leaf.renew_at = now + (end - now) * 2 / 3;
    for (const Certificate& cross : crosses_) {
      if (is_valid_at(cross.get(), now)) {
        leaf.chain.push_back(copy_of(cross));
      }
    }
    return leaf;
  } catch (const std::runtime_error& error) {
    return tl::unexpected(std::string(error.what()));
  }
}

Certificate CertificateAuthority::vouch_for(const X509* successor, Time now) const {
  CertificateBuilder builder(X509_get0_pubkey(successor));
  builder.set_subject_of(successor);
  const CertificateFacts facts = facts_of(successor);
  builder.set_validity(now - kClockTolerance,
                       std::min(facts.not_after, expiry_of(certificate_.get())));
  builder.add_authority_use();
  builder.add_name_constraints(facts.permitted);
  return std::move(builder).sign(certificate_.get(), key_.get());
}

}  // namespace invlog::proxy
