import Pull
import Testing

@Suite struct PlaceNameTests {
  @Test(arguments: [
    ("rest:https://u:p@h/x", "rest:https://h/x"), ("ssh://u@h/x", "ssh://u@h/x"), ("/srv/a,b", "/srv/a,b"),
    (":webdav,url='https://h:1/a,b',pass=secret:x,y", ":webdav,url=…,pass=…:x,y"),
    ("rclone:remote,pass=\"sec\"\"ret\",user=secret:a=b", "rclone:remote,pass=…,user=…:a=b"),
    ("remote,no_head:x", "remote,no_head:x"), ("remote,no_head,pass=secret", "remote,no_head,pass=…"),
    (":webdav,url=https://h,pass=sec=ret:x", ":webdav,url=…://h,pass=…:x"),
    (":webdav,url=https://u:secret@h,pass='secret", ":webdav,url=…://h,pass=…"), (",=a,", ",=a,"),
  ])
  func `shows no password`(text: String, shown: String) {
    #expect(PlaceName.withoutPassword(text) == shown)
  }
}
