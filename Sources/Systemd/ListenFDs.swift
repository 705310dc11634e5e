import CSystemd
import Glibc

/// A socket that the service manager opened for us.
package struct PassedSocket: Sendable {
  /// Its descriptor, ours to own.
  package let descriptor: Int32
  /// `FileDescriptorName=` of the socket unit, or that unit's own name.
  package let name: String
}

/// Why passed sockets cannot be taken.
package struct ListenFDsError: Error, Sendable, CustomStringConvertible {
  /// What is wrong and what to do.
  package let description: String
}

/// The sockets passed by socket activation: none if we were started in another way.
///
/// The corresponding C function is `sd_listen_fds_with_names`; see sd_listen_fds(3). It is to be called once:
/// the variables of the environment are removed, so that no child takes them for its own.
/// - Throws: when the variables are there and say nonsense.
package func listenFDs() throws(ListenFDsError) -> [PassedSocket] {
  let isPassed = unsafe getenv("LISTEN_PID") != nil || getenv("LISTEN_FDS") != nil
  var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
  let count = unsafe sd_listen_fds_with_names(1, &names)
  defer { unsafe free(names) }
  guard count >= 0 else {
    throw ListenFDsError(
      description: "LISTEN_PID, LISTEN_FDS or LISTEN_FDNAMES cannot be read (errno \(-count)): "
        + "start the service through its socket unit, or unset them")
  }
  guard count > 0 || !isPassed else {
    throw ListenFDsError(
      description: "LISTEN_PID and LISTEN_FDS are there, but pass no socket to this process (\(getpid())): "
        + "let the unit start it directly, or unset them")
  }
  return (0..<Int(count)).map { index in
    var name = "unknown"
    if let names = unsafe names, let text = unsafe names[index] {
      name = unsafe String(cString: text)
      unsafe free(text)
    }
    // SD_LISTEN_FDS_START is 3.
    return PassedSocket(descriptor: 3 + Int32(index), name: name)
  }
}
