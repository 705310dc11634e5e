import Testing

@testable import Delta

@Suite struct UnitHashTests {
  private let hash = UnitHash(seed: [UInt8](repeating: 7, count: UnitHash.seedSize))

  private func unit(_ value: UInt8, count: Int = UnitHash.unitSize) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) &+ value }
  }

  @Test func `one bit anywhere changes the digest`() {
    let original = unit(0)
    let digest = hash.digests(of: original)
    var seen: Set = [digest]
    for bit in 0..<UnitHash.unitSize * 8 {
      var changed = original
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      seen.insert(hash.digests(of: changed))
    }
    #expect(seen.count == UnitHash.unitSize * 8 + 1)
  }

  @Test func `words that change places change the digest`() {
    let original = unit(0)
    for step in [8, 16, 64] {
      var changed = original
      for place in 0..<step { changed.swapAt(place, place + step) }
      #expect(hash.digests(of: changed) != hash.digests(of: original))
    }
  }

  @Test func `another seed has other digests`() {
    #expect(UnitHash.random().digests(of: unit(0)) != hash.digests(of: unit(0)))
    #expect(UnitHash.random().seed != UnitHash.random().seed)
    #expect(UnitHash(seed: hash.seed).digests(of: unit(0)) == hash.digests(of: unit(0)))
  }

  @Test(arguments: [0, 1, 4095, 4096, 4097, 262_144])
  func `there is a digest for each unit, and the last may be shorter`(count: Int) {
    let bytes = unit(3, count: count)
    let digests = hash.digests(of: bytes)
    #expect(digests.count == (count + 4095) / 4096 * UnitHash.digestSize)
    for (index, start) in stride(from: 0, to: count, by: 4096).enumerated() {
      let own = hash.digests(of: Array(bytes[start..<min(start + 4096, count)]))
      #expect(digests[index * 16..<index * 16 + 16].elementsEqual(own))
    }
  }
}
