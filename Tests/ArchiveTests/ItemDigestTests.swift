import Crypto
import Testing

@testable import Archive

struct ItemDigestTests {
  /// Blocks of several lengths, some of them empty.
  private let blocks = (0..<50).map { [UInt8](repeating: UInt8($0), count: $0 * 7 % 50 * 20) }

  private func hash(of blocks: some Sequence<[UInt8]>) -> SHA256.Digest {
    var hash = SHA256()
    for block in blocks { hash.update(data: block) }
    return hash.finalize()
  }

  @Test func `blocks that come in any order are hashed in theirs`() async {
    for _ in 0..<5 {
      let digest = ItemDigest()
      let blocks = blocks
      async let value = digest.value(ofBlocks: blocks.count)
      await withTaskGroup { group in
        for index in blocks.indices.shuffled() { group.addTask { digest.add(blocks[index], at: index) } }
      }
      #expect(await value == hash(of: blocks))
    }
  }
}
