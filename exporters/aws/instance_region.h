// The Region of the EC2 instance that this host is, as its metadata service (IMDS) says.
//
// Why not simply ask: on a host that is no instance nobody may answer at IMDS's address, and each
// start would wait for that; or somebody else does. So IMDS is asked only where it can be: where
// AWS_EC2_METADATA_SERVICE_ENDPOINT names it, or the firmware says "Amazon EC2" (sysfs DMI:
// sys_vendor on Nitro, board_vendor on bare metal; AWS, "Detect whether a host is an EC2
// instance").
//
// Any thread; blocks for two requests of 1 s at most, unless AWS_METADATA_SERVICE_TIMEOUT says
// otherwise. Errors: none; no answer is "".
#pragma once

#include <string>

#include "exporters/aws/chain_options.h"

namespace invlog::aws {

// "" if this host is no instance, AWS_EC2_METADATA_DISABLED is true, or nobody answers with a
// Region. `firmware`: the folder with sys_vendor and board_vendor.
std::string instance_region(const ChainOptions& options,
                            const std::string& firmware = "/sys/class/dmi/id");

}  // namespace invlog::aws
