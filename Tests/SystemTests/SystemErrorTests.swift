import Glibc
import Testing

@testable import System

struct SystemErrorTests {
  @Test func `says the reason in words and the call`() {
    #expect(SystemError(call: "bind", errno: EADDRINUSE).description == "Address already in use (bind)")
    #expect(SystemError(call: "x", errno: 9999).description == "errno 9999 (x)")
  }

  @Test(arguments: [(ETIMEDOUT, true), (ECANCELED, false), (EAGAIN, false)])
  func `tells a timeout from other ends`(number: CInt, isTimeout: Bool) {
    #expect(SystemError(call: "recv", errno: number).isTimeout == isTimeout)
  }
}
