import Glibc
import Testing

@testable import System

struct DescriptorTests {
  @Test func `closes what it owns, and not what it gave away`() {
    var ends: [CInt] = [-1, -1]
    pipe(&ends)
    let given = Descriptor(owning: ends[1]).release()
    #expect(fcntl(given, F_GETFD) >= 0)
    do { _ = Descriptor(owning: given) }
    var byte: UInt8 = 0
    #expect(read(ends[0], &byte, 1) == 0, "the last writer is gone")
    SystemCalls.close(ends[0])
  }

  @Test func `a descriptor that is not open is a bug, and traps`() async {
    await #expect(processExitsWith: .failure) { SystemCalls.close(-1) }
  }
}
