/// Why a request is not answered as it asked, in the terms of the answer it gets instead.
///
/// RFC 9110 §15.
package struct HTTPError: Error, Sendable, Hashable {
  /// The status to answer with.
  package var status: Status
  /// For people: what was asked, what is wrong with it, what to do. It quotes nothing of the request.
  package var detail: String
  /// Fields that belong to the answer, such as `Allow` or `Retry-After`.
  package var fields: [FieldLine]

  /// Says what went wrong.
  package init(_ status: Status, _ detail: String, fields: [FieldLine] = []) {
    self.status = status
    self.detail = detail
    self.fields = fields
  }

  /// The answer: its head, complete but for `Date` and `Connection`, and its content, which a response to
  /// HEAD leaves out.
  ///
  /// RFC 9457 §3.
  package func response() -> (head: ResponseHead, content: [UInt8]) {
    let content = Problem(status: status, detail: detail).encoded()
    var head = ResponseHead(status)
    head.add("Content-Type", Problem.mediaType)
    head.add("Content-Length", "\(content.count)")
    // 404, 405, 414 and 501 are cacheable unless it is said otherwise: RFC 9110 §15.1.
    head.add("Cache-Control", "no-store")
    head.fields += fields
    return (head, content)
  }
}
