/// Feeds the request parser whatever libFuzzer thinks of, and ends the process where a promise is broken.
///
/// It is compiled together with the parser's own files (`make fuzz`), not by SwiftPM: its flags are nobody else's
/// business. What it checks it works out anew, with arrays and loops, so that a fault of the parser is not repeated.
///
/// https://llvm.org/docs/LibFuzzer.html
@c(LLVMFuzzerTestOneInput)
public func fuzzRequestParser(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var rest = Array(UnsafeBufferPointer(start: start, count: count)[...])
  // Pipelined requests, each where the one before it ended: RFC 9112 §9.3.2.
  while let head = checkedHead(of: rest) { rest.removeFirst(head.byteCount) }
  return 0
}

/// What came of some octets.
private enum Outcome: Equatable {
  case head(RequestHead, byteCount: Int)
  case failure(HTTPError)
  case incomplete

  /// Shows a parser more and more of `bytes`.
  init(_ bytes: [UInt8], lengths: some Sequence<Int>) {
    var parser = RequestParser()
    for length in lengths {
      do throws(HTTPError) {
        if let (head, byteCount) = try parser.parse(bytes.span.extracting(0..<length)) {
          self = .head(head, byteCount: byteCount)
          return
        }
      } catch {
        // "The same one for ever after": what follows must not heal it.
        var again: HTTPError?
        do throws(HTTPError) { _ = try parser.parse(bytes.span) } catch { again = error }
        precondition(again == error, "an error was forgotten")
        self = .failure(error)
        return
      }
    }
    self = .incomplete
  }
}

/// - Returns: the head at the beginning of `bytes`, if there is one, and it has passed every check.
private func checkedHead(of bytes: [UInt8]) -> (head: RequestHead, byteCount: Int)? {
  let whole = Outcome(bytes, lengths: [bytes.count])
  precondition(Outcome(bytes, lengths: 0...bytes.count) == whole, "octet by octet it is another request")
  precondition(
    Outcome(bytes, lengths: [bytes.count / 3, bytes.count / 2, bytes.count]) == whole,
    "in three pieces it is another request")
  switch whole {
  case .incomplete:
    precondition(bytes.count < RequestLimits.standard.headLength, "a head without an end is waited for")
    return nil
  case .failure(let error):
    precondition([400, 405, 413, 414, 417, 421, 431, 501, 505].contains(error.status.code))
    return nil
  case .head(let head, let byteCount):
    precondition(1...min(bytes.count, RequestLimits.standard.headLength) ~= byteCount)
    let octets = Array(bytes[..<byteCount])
    precondition(Outcome(octets, lengths: [byteCount]) == whole, "it depends on what follows")
    precondition(Outcome(octets, lengths: [byteCount - 1]) == .incomplete, "it took more than the head")
    checkLines(octets, head)
    checkFields(head)
    checkRoundTrip(head)
    return (head, byteCount)
  }
}

/// The octets are the lines that the head says they are.
private func checkLines(_ octets: [UInt8], _ head: RequestHead) {
  var lines: [[UInt8]] = [[]]
  var index = 0
  while index < octets.count {
    let octet = octets[index]
    if octet == 0x0D {
      // RFC 9112 §2.2: CR and LF stand together or not at all.
      precondition(index + 1 < octets.count && octets[index + 1] == 0x0A, "a bare CR")
      lines.append([])
      index += 2
    } else {
      precondition(octet == 0x09 || octet >= 0x20 && octet != 0x7F, "a control character, or a bare LF")
      lines[lines.count - 1].append(octet)
      index += 1
    }
  }
  precondition(lines.count == head.fields.count + 3, "not as many lines as fields")
  precondition(lines[lines.count - 1].isEmpty && lines[lines.count - 2].isEmpty, "no empty line at the end")
  let requestLine = "\(head.method.rawValue) \(head.target.text) \(head.version.rawValue)"
  precondition(lines[0] == Array(requestLine.utf8), "another request line")
  for (line, field) in zip(lines[1...], head.fields) {
    let name = Array(field.name.utf8)
    let value = Array(field.value.utf8)
    // RFC 9112 §5: field-name ":" OWS field-value OWS
    precondition(!name.isEmpty && line.starts(with: name) && line[name.count] == 0x3A, "another field name")
    precondition(!name.contains { [0x09, 0x20, 0x3A].contains($0) }, "whitespace in a field name")
    var found = line[(name.count + 1)...]
    while let octet = found.first, octet == 0x20 || octet == 0x09 { found.removeFirst() }
    while let octet = found.last, octet == 0x20 || octet == 0x09 { found.removeLast() }
    // RFC 9110 §5.5: obs-text may be in any encoding; what is not UTF-8 is shown repaired.
    precondition(Array(String(decoding: found, as: UTF8.self).utf8) == value, "another field value")
  }
}

/// What decides where a message ends, and for whom it is, leaves no choice.
private func checkFields(_ head: RequestHead) {
  func values(_ name: String) -> [String] {
    head.fields.filter { $0.name.lowercased() == name }.map(\.value)
  }
  // RFC 9112 §3.2
  let hosts = values("host")
  precondition(hosts.count == 1 || head.version == .http10 && hosts.isEmpty, "no Host, or several")
  precondition(hosts.first?.isEmpty != true, "an empty Host")
  if let authority = head.target.authority, let host = hosts.first {
    precondition(authority.lowercased() == host.lowercased(), "two names for one server")
  }
  // RFC 9112 §6.3
  precondition(values("transfer-encoding").isEmpty, "a transfer coding")
  let lengths = values("content-length")
  precondition(lengths.count <= 1, "several lengths")
  precondition(lengths.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { $0 == 0x30 } }, "content")
  // RFC 9110 §10.1.1
  precondition(values("expect").allSatisfy { $0.lowercased() == "100-continue" }, "an expectation")
  precondition(head.fields.count <= RequestLimits.standard.fieldCount)
  precondition(head.target.text.utf8.count <= RequestLimits.standard.targetLength)
}

/// Written down again, it is the same request; its path is in its one form.
private func checkRoundTrip(_ head: RequestHead) {
  // What was repaired is longer than it was, perhaps than it may be.
  guard !head.fields.contains(where: { $0.value.unicodeScalars.contains("\u{FFFD}") }) else { return }
  func request(_ target: String) -> [UInt8] {
    var text = "\(head.method.rawValue) \(target) \(head.version.rawValue)\r\n"
    for field in head.fields { text += "\(field.name):\(field.value)\r\n" }
    return Array((text + "\r\n").utf8)
  }
  let again = request(head.target.text)
  precondition(
    Outcome(again, lengths: [again.count]) == .head(head, byteCount: again.count), "another request again")
  precondition(head.target.path.utf8.first == 0x2F, "a path without its slash")
  let normal = request(head.target.path)
  guard case .head(let normalHead, _) = Outcome(normal, lengths: [normal.count]) else {
    preconditionFailure("a path that cannot be asked for")
  }
  precondition(normalHead.target.path == head.target.path, "a path of two forms")
}
