import Glibc

/// Allows this process as many descriptors as it may have: one for each connection and each file of a backup.
///
/// The soft limit is kept at 1024 for programs that use `select`; see systemd.exec(5), `LimitNOFILE=`.
/// The corresponding C function is `setrlimit`.
/// - Returns: how many it may have now.
@discardableResult
package func raiseDescriptorLimit() -> Int {
  var limit = rlimit()
  guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
  let before = limit.rlim_cur
  limit.rlim_cur = limit.rlim_max
  // Refused, there are fewer, no more.
  let isRaised = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
  return Int(clamping: isRaised ? limit.rlim_max : before)
}
