import Testing
import Zip

@testable import Archive

struct MadeBlocksTests {
  private func block(_ byte: UInt8) throws -> [UInt8] {
    try DeflateEngine(.store).deflate([byte], isLast: false).bytes
  }

  @Test func `sees a block that is not what it was when it was made before`() throws {
    var made = MadeBlocks()
    #expect(try made.agrees(block(1), isRecorded: true))
    #expect(try made.agrees(block(2), isRecorded: true))
    made = made.rewound()
    #expect(try made.agrees(block(1), isRecorded: true))
    #expect(try !made.agrees(block(3), isRecorded: true))
  }

  @Test func `compares what was recorded, also once nothing more is`() throws {
    var made = MadeBlocks()
    #expect(try made.agrees(block(1), isRecorded: true))
    made = made.rewound()
    #expect(try made.agrees(block(1), isRecorded: false))
    #expect(try made.agrees(block(9), isRecorded: false))
    made = made.rewound()
    #expect(try !made.agrees(block(2), isRecorded: false))
  }
}
