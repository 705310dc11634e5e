import Crypto
import System

/// A keyed digest of each unit of a file, by which a unit that has changed is told from one that has not.
///
/// It is NH, the universal hash of UMAC and VMAC, over words of 64 bits: with a secret seed, two different units of one length have
/// one digest with a probability of 2⁻⁶⁴, whatever they are. The processes that write the units see neither seed nor digest. A
/// cryptographic digest would cost six times as much: docs/decisions/0008-delta.md.
///
/// J. Black, S. Halevi, H. Krawczyk, T. Krovetz, P. Rogaway: UMAC, Fast and Secure Message Authentication (1999), §4.
package struct UnitHash: Sendable {
  /// In bytes; the last unit of a file may be shorter.
  package static let unitSize = 4096
  /// In bytes.
  package static let digestSize = 16
  package static let seedSize = 32
  private static let wordCount = unitSize / 8

  package let seed: [UInt8]
  private let key: [UInt64]

  /// - Parameter seed: of `seedSize` bytes.
  package init(seed: [UInt8]) {
    precondition(seed.count == Self.seedSize, "a seed of another size")
    self.seed = seed
    let bytes = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: seed), info: Array("sluice unit hash".utf8),
      outputByteCount: Self.unitSize)
    key = unsafe bytes.withUnsafeBytes { bytes in
      (0..<Self.wordCount).map { unsafe bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self) }
    }
  }

  /// One of which no other process knows the seed.
  package static func random() -> UnitHash {
    var random = SystemRandomNumberGenerator()
    return UnitHash(seed: (0..<seedSize).map { _ in random.next() })
  }

  /// The digests of all units of some bytes that begin with one. The last may be shorter: it has zeros at its end, and is to be
  /// compared with units of its length alone.
  package func digests(of bytes: [UInt8]) -> [UInt8] {
    let whole = bytes.count / Self.unitSize
    var digests: [UInt8] = []
    digests.reserveCapacity((whole + 1) * Self.digestSize)
    for unit in 0..<whole { append(digest(bytes, at: unit * Self.unitSize), to: &digests) }
    let rest = bytes.count % Self.unitSize
    if rest > 0 {
      let last = bytes.suffix(rest) + [UInt8](repeating: 0, count: Self.unitSize - rest)
      append(digest(Array(last), at: 0), to: &digests)
    }
    return digests
  }

  /// Σ (m₂ᵢ + k₂ᵢ mod 2⁶⁴)(m₂ᵢ₊₁ + k₂ᵢ₊₁ mod 2⁶⁴) mod 2¹²⁸
  private func digest(_ bytes: [UInt8], at start: Int) -> (low: UInt64, high: UInt64) {
    precondition(start + Self.unitSize <= bytes.count)
    return unsafe bytes.withUnsafeBytes { bytes in
      unsafe key.withUnsafeBufferPointer { key in
        var low: UInt64 = 0
        var high: UInt64 = 0
        var word = 0
        while word < Self.wordCount {
          let offset = start + 8 * word
          let first = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          let second = unsafe bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
          let product = unsafe (first &+ key[word]).multipliedFullWidth(by: second &+ key[word + 1])
          let (sum, carries) = low.addingReportingOverflow(product.low)
          low = sum
          high = high &+ product.high &+ (carries ? 1 : 0)
          word += 2
        }
        return (low, high)
      }
    }
  }

  private func append(_ digest: (low: UInt64, high: UInt64), to digests: inout [UInt8]) {
    digests.append(littleEndian: digest.low)
    digests.append(littleEndian: digest.high)
  }
}
