// Has the kernel ask the other end of a silent connection whether it is there still (tcp(7)): what
// stands between forgets a silent connection (NAT gateways, load balancers and interface endpoints
// of AWS's after 350 s), and Linux by itself asks after two hours.
//
// Of a call, which may be silent for as long as the model thinks, the answer is wanted soon: a path
// that is gone is known 30 s after the last sign of life, be it asked for by three probes in vain
// or by bytes that nobody acknowledges. That limit (TCP_USER_TIMEOUT) is no limit of an upload: it
// counts from where no acknowledgement comes, however long the bytes wait here for a slow link. It
// does end a connection whose other end takes nothing at all for so long.
//
// A tunnel's ends may do that, for they may be anything, so a tunnel has probes alone.
//
// Thread: any. Errors: none; what the kernel does not take stays as it is.
#pragma once

namespace invlog::capture {

void probe_for_call(int descriptor);
// Also of one that was opened for a call. Unix sockets take no harm.
void probe_for_tunnel(int descriptor);

}  // namespace invlog::capture
