// The certificate authorities that programs of this host trust anyway: what OpenSSL takes by
// default. Source: SSL_CTX_set_default_verify_paths(3), X509_get_default_cert_file. And those that
// somebody added to them for the programs of an agent, as a company's.
//
// Thread: any; reads files. Errors: what somebody named and cannot be read; of the system's own
// places what cannot be read is not there.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/proxy/certificate_files.h"
#include "exporters/aws/credentials.h"

namespace invlog::proxy {

struct SystemRoots {
  Certificates certificates;        // each once; behind the system's those of ca-extra.pem
  std::vector<std::string> places;  // where they were looked for, files and directories
  Certificates added;  // those of SSL_CERT_FILE that nothing else has: for AuthorityFiles::keep()
};

// SSL_CERT_FILE and SSL_CERT_DIR say other places than OpenSSL's own. A program that was started
// with <state_dir>/ca-bundle.pem, which is made of the answer, as its SSL_CERT_FILE gets the
// default.
tl::expected<SystemRoots, std::string> system_roots(const aws::Environment& environment,
                                                    const std::string& state_dir);

}  // namespace invlog::proxy
