#include "agent/proxy/authority_files.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "agent/proxy/certificate_builder.h"

namespace invlog::proxy {
namespace {

constexpr mode_t kForOwner = 0600, kForAll = 0644;

struct NewAuthority {
  PrivateKey key;
  Certificate certificate;
};

// "invlog proxy CA, eu-central-1, build-7, 3f9a12bc": the last tells generations apart.
std::string name_of(const AuthorityPurpose& purpose) {
  std::array<unsigned char, 4> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    throw std::runtime_error("no random bytes" + take_openssl_reason());
  }
  std::string generation = ", ";
  for (const unsigned char byte : random) {
    generation += "0123456789abcdef"[byte >> 4];
    generation += "0123456789abcdef"[byte & 15];
  }
  std::string name = std::string(kAuthorityName) + purpose.region + ", ";
  for (const char letter : purpose.host_name) {
    name += letter > ' ' && letter < 127 ? letter : '?';
  }
  name.resize(std::min(name.size(), kLongestCommonName - generation.size()));
  return name + generation;
}

NewAuthority make_authority(const AuthorityPurpose& purpose, AuthorityFiles::Time now) {
  if (purpose.names.empty()) {
    throw std::runtime_error("a certificate authority needs names that it is for");
  }
  NewAuthority made;
  made.key = new_private_key();
  CertificateBuilder builder(made.key.get());
  builder.set_subject({{NID_commonName, name_of(purpose)}});
  builder.set_validity(now - kClockTolerance, now + CertificateAuthority::kAuthorityLife);
  builder.add_authority_use();
  builder.add_name_constraints(purpose.names);
  made.certificate = std::move(builder).sign(nullptr, made.key.get());
  return made;
}

std::string pem_of_key(EVP_PKEY* key) {
  const std::unique_ptr<BIO, decltype(&::BIO_free)> bio(BIO_new(BIO_s_secmem()), ::BIO_free);
  char* bytes = nullptr;
  if (!bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    throw std::runtime_error("the key cannot be written" + take_openssl_reason());
  }
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string pem_of_unexpired(const Certificates& certificates, AuthorityFiles::Time now) {
  std::string text;
  for (const Certificate& certificate : certificates) {
    text += expiry_of(certificate.get()) > now ? pem_of(certificate.get()) : "";
  }
  return text;
}

// Those that stay trusted: from the one in use on, which leaves out one whose key never came to be
// used, and unexpired.
Certificates still_trusted(Certificates trusted, const X509* in_use, AuthorityFiles::Time now) {
  const auto first = std::find_if(trusted.begin(), trusted.end(), [&](const Certificate& one) {
    return X509_cmp(one.get(), in_use) == 0;
  });
  Certificates kept;
  for (auto one = first; one != trusted.end(); ++one) {
    if (expiry_of(one->get()) > now) {
      kept.push_back(std::move(*one));
    }
  }
  return kept;
}

std::vector<std::string> without(std::vector<std::string> names,
                                 const std::vector<std::string>& known) {
  std::erase_if(names, [&](const std::string& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  });
  return names;
}

void make_directory(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) {
    std::filesystem::create_directories(parent, ignored);
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw std::runtime_error(path + " cannot be created: " + std::strerror(errno));
  }
}

// The result of `work`, or what it threw.
template <typename Result, typename Work>
tl::expected<Result, std::string> caught(const Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return tl::unexpected(std::string(error.what()));
  }
}

}  // namespace

std::string key_path_in(const std::string& state_dir) {
  return state_dir + "/ca-key.pem";
}

std::string cross_path_in(const std::string& state_dir) {
  return state_dir + "/ca-cross.pem";
}

std::string bundle_path_in(const std::string& state_dir) {
  return state_dir + "/ca-bundle.pem";
}

std::string extra_path_in(const std::string& state_dir) {
  return state_dir + "/ca-extra.pem";
}

tl::expected<Certificates, std::string> extra_roots_in(const std::string& state_dir) {
  const std::string path = extra_path_in(state_dir);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return Certificates();
  }
  auto extra = certificates_in(path);
  if (!extra) {
    return tl::unexpected(extra.error() + "; put it right, or remove it");
  }
  return extra;
}

AuthorityFiles::AuthorityFiles(std::string state_dir, RenameFile rename)
    : state_dir_(std::move(state_dir)), rename_(std::move(rename)) {}

tl::expected<void, std::string> AuthorityFiles::create(const AuthorityPurpose& purpose,
                                                       const Certificates& system_roots, Time now) {
  using Result = tl::expected<void, std::string>;
  return caught<void>([&]() -> Result {
    make_directory(state_dir_);
    const DirectoryLock lock(state_dir_);
    if (CertificateAuthority::exists(state_dir_)) {
      return tl::unexpected("there is a certificate authority in " + state_dir_ +
                            " already: `invlog ca show` shows it, `invlog ca rotate` replaces it "
                            "without breaking programs that trust it");
    }
    const NewAuthority made = make_authority(purpose, now);
    const std::string certificate = pem_of(made.certificate.get());
    ::unlink(cross_path_in(state_dir_).c_str());  // of one that is no more
    write(key_path_in(state_dir_), pem_of_key(made.key.get()), kForOwner);
    write(bundle_path_in(state_dir_), certificate + pem_of(system_roots), kForAll);
    write(CertificateAuthority::certificate_path(state_dir_), certificate, kForAll);
    return {};
  });
}

tl::expected<Overlap, std::string> AuthorityFiles::rotate(const AuthorityPurpose& purpose,
                                                          const Certificates& system_roots,
                                                          Time now) {
  using Result = tl::expected<Overlap, std::string>;
  return caught<Overlap>([&]() -> Result {
    std::optional<DirectoryLock> lock;
    if (CertificateAuthority::exists(state_dir_)) {
      lock.emplace(state_dir_);
    }
    auto old = CertificateAuthority::read(state_dir_);
    if (!old) {
      return tl::unexpected(old.error());
    }
    const std::string certificate_path = CertificateAuthority::certificate_path(state_dir_);
    auto trusted = certificates_in(certificate_path);
    if (!trusted) {
      return tl::unexpected(trusted.error());
    }
    const CertificateFacts before = facts_of(old->certificate());
    const NewAuthority made = make_authority(purpose, now);
    const std::string certificates =
        pem_of(made.certificate.get()) +
        pem_of(still_trusted(std::move(*trusted), old->certificate(), now));
    const std::string cross =
        before.not_after > now ? pem_of(old->vouch_for(made.certificate.get(), now).get()) : "";
    // The old one's stay behind it: the old one needs them until the key has changed, and programs
    // that have an authority from before that one as long as it is valid.
    const std::string crosses = cross + pem_of_unexpired(old->crosses(), now);
    write(bundle_path_in(state_dir_), certificates + pem_of(system_roots), kForAll);
    write(certificate_path, certificates, kForAll);
    if (!crosses.empty()) {
      write(cross_path_in(state_dir_), crosses, kForAll);
    }
    write(key_path_in(state_dir_), pem_of_key(made.key.get()), kForOwner);
    return Overlap{before.not_after, without(purpose.names, before.permitted)};
  });
}

tl::expected<void, std::string> AuthorityFiles::keep(const Certificates& added) {
  using Result = tl::expected<void, std::string>;
  return caught<void>([&]() -> Result {
    const DirectoryLock lock(state_dir_);
    const auto extra = extra_roots_in(state_dir_);
    if (!extra) {
      return tl::unexpected(extra.error());
    }
    write(extra_path_in(state_dir_), pem_of(*extra) + pem_of(added), kForAll);
    return {};
  });
}

tl::expected<void, std::string> AuthorityFiles::update_bundle(const Certificates& system_roots) {
  using Result = tl::expected<void, std::string>;
  return caught<void>([&]() -> Result {
    const auto trusted = certificates_in(CertificateAuthority::certificate_path(state_dir_));
    if (!trusted) {
      return tl::unexpected(trusted.error());
    }
    const DirectoryLock lock(state_dir_);
    write(bundle_path_in(state_dir_), pem_of(*trusted) + pem_of(system_roots), kForAll);
    return {};
  });
}

void AuthorityFiles::write(const std::string& path, const std::string& content, mode_t mode) const {
  write_state_file(path, content, mode, rename_);
}

}  // namespace invlog::proxy
