import Glibc
import System

/// The thread that calls.
///
/// `pthread_self` is declared `const`, and an optimizer leaves out a change to another executor and back between which nothing
/// but that is asked. It keeps one in which a function is called of which it knows nothing.
@inline(never)
func callingThread() -> UInt {
  _ = getpid()
  return SystemCalls.currentThread()
}
