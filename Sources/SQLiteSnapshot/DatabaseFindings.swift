/// What is found of a database.
package struct DatabaseFindings: Sendable {
  /// The first damage; nil if there is none.
  package var fault: String?
  /// What could not be judged here, a part each; what else can be judged was.
  package var unchecked: [String] = []
  /// What is no damage and may still be of interest.
  package var remarks: [String] = []
  /// Why the check did not come to its end: then it says neither that there is damage nor that there is none.
  package var unfinished: String?

  /// Of each list, so many are told.
  static let maximumParts = 20

  /// Makes what there is to say of a sound database.
  package init() {}

  mutating func addUnchecked(_ part: String) { Self.add(part, to: &unchecked) }
  mutating func addRemark(_ remark: String) { Self.add(remark, to: &remarks) }

  private static func add(_ part: String, to parts: inout [String]) {
    guard parts.count <= maximumParts, !parts.contains(part) else { return }
    parts.append(parts.count < maximumParts ? part : "and more")
  }
}
