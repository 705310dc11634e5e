/// The names of archives that are gone: a client that presents one may have a part, and must get no part of another.
package struct UsedNames {
  /// How many are remembered: 8 bytes each.
  package static let maximumCount = 4096

  /// Their hashes, the oldest first.
  private var hashes: [Int] = []

  package init() {}

  package func contains(_ target: String) -> Bool { hashes.contains(target.hashValue) }

  package mutating func insert(_ target: String) {
    guard !contains(target) else { return }
    hashes.append(target.hashValue)
    if hashes.count > Self.maximumCount { hashes.removeFirst() }
  }
}
