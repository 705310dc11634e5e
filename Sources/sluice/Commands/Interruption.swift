import EventLoop
import Glibc

/// Lets signals end a command between two pieces of its work, so that it leaves nothing behind, and no step is cut off.
///
/// - Returns: whether one has come.
func holdSignals() -> @Sendable () -> Bool {
  // A shell without job control lets its background jobs ignore SIGINT: a script that sends it means it.
  let ends = Signals.notIgnored([SIGTERM, SIGHUP]) + [SIGINT]
  Signals.block(ends)
  signal(SIGPIPE, SIG_IGN)
  signal(SIGXFSZ, SIG_IGN)
  return { Signals.isPending(ends) }
}
