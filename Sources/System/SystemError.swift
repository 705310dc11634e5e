import Glibc

/// A system call that failed: which one, and the `errno` it left.
///
/// `EAGAIN` is control flow and never appears here. A wait that passed its deadline is `ETIMEDOUT`, one that
/// was called off is `ECANCELED`.
package struct SystemError: Error, Equatable, Sendable {
  /// The name of the call, as in its manual page.
  package let call: String
  /// The error number; see errno(3).
  package let errno: CInt

  /// What an operation that was called off between two system calls leaves: `EINTR`.
  package static let interrupted = EINTR

  /// Makes the error of a named call.
  package init(call: String, errno: CInt) {
    self.call = call
    self.errno = errno
  }

  /// Whether a wait passed its deadline.
  package var isTimeout: Bool { errno == ETIMEDOUT }
  /// Whether nothing reads a pipe any more.
  package var isBrokenPipe: Bool { errno == EPIPE }
  /// Whether the kernel had no memory for it.
  package var isShortage: Bool { errno == ENOMEM || errno == ENOBUFS }
  /// Whether the file system, or what the user may have of it, is full.
  package var isFull: Bool { errno == ENOSPC || errno == EDQUOT }
  /// Whether an operation was called off.
  package var isCancelled: Bool { errno == ECANCELED }
}

extension SystemError: CustomStringConvertible {
  /// The reason in words and the call it came from, as in `Address already in use (bind)`.
  package var description: String { "\(SystemCalls.describe(errno)) (\(call))" }
}

extension SystemError {
  /// Whether there is nothing by that path.
  package var isMissing: Bool { errno == ENOENT || errno == ENOTDIR }
  /// Whether something is there that this process may not see.
  package var isForbidden: Bool { errno == EACCES || errno == EPERM }
  /// A link stands where a directory is expected: open(2), `O_NOFOLLOW` with `O_DIRECTORY`.
  package var isLink: Bool { errno == ELOOP || errno == ENOTDIR }
  /// A directory stands where a file is expected.
  package var isDirectory: Bool { errno == EISDIR }
  package static let noRegularFile = SystemError(call: "open", errno: EISDIR)
  package static let otherFileSystem = SystemError(call: "rename", errno: EXDEV)
}
