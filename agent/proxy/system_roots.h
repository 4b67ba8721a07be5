// The certificate authorities that programs of this host trust anyway: what OpenSSL takes by
// default. Source: SSL_CTX_set_default_verify_paths(3), X509_get_default_cert_file.
//
// Thread: any; reads files. Errors: none; what cannot be read is not there.
#pragma once

#include <string>
#include <vector>

#include "agent/proxy/certificate_files.h"
#include "exporters/aws/credentials.h"

namespace invlog::proxy {

struct SystemRoots {
  Certificates certificates;        // each once
  std::vector<std::string> places;  // where they were looked for, files and directories
};

// SSL_CERT_FILE and SSL_CERT_DIR say other places than OpenSSL's own. `own_bundle`: the file that
// is made of the answer; a program that was started with it as its SSL_CERT_FILE gets the default.
SystemRoots system_roots(const aws::Environment& environment, const std::string& own_bundle);

}  // namespace invlog::proxy
