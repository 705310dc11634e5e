/// One `name=value` of a query, decoded.
///
/// URL Standard, application/x-www-form-urlencoded: https://url.spec.whatwg.org/#urlencoded-parsing
package struct QueryItem: Sendable, Hashable {
  /// What stands before the first "=".
  package var name: String
  /// What stands after it; empty when there is none.
  package var value: String

  /// Takes both parts decoded.
  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }

  /// Reads the items of a query (without its "?"); nothing between two "&" is no item.
  ///
  /// - Throws: `HTTPError` 400 for a bad escape, an escaped NUL and what is not UTF-8.
  static func items(of query: Span<UInt8>) throws(HTTPError) -> [QueryItem] {
    var items: [QueryItem] = []
    var start = 0
    while start < query.count {
      var end = start
      var equals: Int?
      while end < query.count, query[end] != UInt8(ascii: "&") {
        if equals == nil, query[end] == UInt8(ascii: "=") { equals = end }
        end += 1
      }
      if end > start {
        let name = try PercentEncoding.decodeForm(query.extracting(start..<(equals ?? end)))
        let value = try PercentEncoding.decodeForm(query.extracting((equals.map { $0 + 1 } ?? end)..<end))
        items.append(QueryItem(name: name, value: value))
      }
      start = end + 1
    }
    return items
  }
}
