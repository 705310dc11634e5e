import Testing

@testable import HTTP1

@Suite struct AcceptedManipulationsTests {
  private func accepted(_ values: [String]) throws -> AcceptedManipulations {
    var parser = RequestParser()
    let lines = ["GET / HTTP/1.1", "Host: a"] + values.map { "a-im: \($0)" } + ["", ""]
    let text = Array(lines.joined(separator: "\r\n").utf8)
    return AcceptedManipulations(try #require(try parser.parse(text.span)).head)
  }

  @Test(arguments: [
    ["vcdiff"], ["VCDIFF"], ["gzip, vcdiff"], ["gzip", "vcdiff"], ["vcdiff;q=0.001"], ["vcdiff ; Q=1.000"],
    ["vcdiff;level=9"], [" , ,vcdiff,"], ["identity;q=0.5, vcdiff"], ["identity;q=0, vcdiff;q=0.1"],
    ["other;q=x, vcdiff"],
  ])
  func `takes it`(values: [String]) throws { #expect(try accepted(values).accepts("vcdiff")) }

  @Test(arguments: [
    [], [""], ["gzip"], ["vcdiff;q=0"], ["vcdiff;q=0.000"], ["vcdiff;q=2"], ["vcdiff;q=0.0001"],
    ["vcdiff;q=-1"], ["vcdiff;q="], ["xvcdiff"], ["vcdiff2"], ["*"], ["identity, vcdiff;q=0.9"], [";vcdiff"],
  ])
  func `does not take it`(values: [String]) throws { #expect(try !accepted(values).accepts("vcdiff")) }
}
