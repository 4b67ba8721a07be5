// Certificates as files have them, and what people and programs want to know of one.
//
// Thread: any; functions that only read. Errors: results, with the file and the cause. Files may be
// foreign: what is in them is bounded and parsed by OpenSSL.
#pragma once

#include <chrono>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/proxy/certificate_authority.h"

namespace invlog::proxy {

using Certificates = std::vector<Certificate>;

struct CertificateFacts {
  std::string subject;      // the common name, as it stands there
  std::string issuer;       // that of who signed it
  std::string fingerprint;  // SHA-256 of the certificate, "AB:CD:..."
  std::chrono::system_clock::time_point not_before, not_after;
  std::vector<std::string> permitted;  // the DNS names of its name constraints
};
CertificateFacts facts_of(const X509* certificate);

std::chrono::system_clock::time_point expiry_of(const X509* certificate);
// 2026-11-26T07:00:00Z
std::string readable_time(std::chrono::system_clock::time_point time);

std::string pem_of(const X509* certificate);
std::string pem_of(const Certificates& certificates);
// Its bytes, by which certificates are told apart.
std::string der_of(const X509* certificate);

// Whether the file is there, or may be, and this user may not read it.
bool is_unreadable(const std::string& path);

// All certificates of a PEM file of up to 16 MiB; at least one.
tl::expected<Certificates, std::string> certificates_in(const std::string& path);
// Of somebody else's file: those that can be read, which may be none.
Certificates readable_certificates_in(const std::string& path);

}  // namespace invlog::proxy
