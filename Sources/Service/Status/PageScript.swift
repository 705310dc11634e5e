/// What makes the page live: it asks for `status.json`, at a pace that slows down while nothing happens, and not at all while the
/// page is hidden. Figures of a running backup are set in place; when a backup begins or ends, the page is fetched once more
/// and its sections are exchanged, so that there is one place where they are made.
enum PageScript {
  static let text = """
    "use strict";(()=>{
    const FAST=2e3,LONGEST=6e4,PATIENCE=1e4,$=id=>document.getElementById(id);
    const here=location.origin+location.pathname.replace(/[^/]*$/,"");
    let tag=$("main").dataset.tag,pace=FAST,timer=0,asking=false,lost=false;
    const say=text=>{if($("live").textContent!==text)$("live").textContent=text};
    const age=s=>s<60?Math.max(0,s)+" s":s<3600?Math.floor(s/60)+" min":s<172800?Math.floor(s/3600)+" h":Math.floor(s/86400)+" days";
    const size=n=>{const units=["B","KiB","MiB","GiB","TiB"];let u=0;while(n>=1000&&u<4){n/=1024;u++}
    return(u&&n<99.95?n.toFixed(1):String(Math.round(n)))+" "+units[u]};
    const bytes=n=>String(n).replace(/\\B(?=(\\d{3})+$)/g,"\\u202f")+"\\u202fB";
    const base=()=>{for(const each of document.querySelectorAll(".base"))each.textContent=here.replace(/'/g,"%27")};
    const get=path=>fetch(here+path,{cache:"no-store",signal:AbortSignal.timeout(PATIENCE)}).then(answer=>{
    if(!answer.ok)throw new Error(answer.status);return answer});
    const set=(row,part,text)=>{const each=row.querySelector("[data-v="+part+"]");if(each&&each.textContent!==text)each.textContent=text};
    const show=status=>{
    for(const time of document.querySelectorAll("time[data-t]"))time.textContent=age(status.time-time.dataset.t)+" ago";
    for(const backup of status.under_way){const row=$("b-"+backup.id);if(!row)continue;
    const done=backup.progress_permille,bar=row.querySelector("progress");
    if(done===null)bar.removeAttribute("value");else bar.value=done;
    set(row,"done",done===null?"":Math.floor(done/10)+" %");set(row,"sent",size(backup.sent_bytes));set(row,"bytes",bytes(backup.sent_bytes));
    set(row,"age",age(backup.age_seconds));set(row,"left",backup.resumable_seconds===null?"":age(backup.resumable_seconds))}};
    const exchange=async()=>{
    const next=new DOMParser().parseFromString(await(await get(location.search)).text(),"text/html"),focus=document.activeElement;
    const where=focus&&(focus.id?"#"+CSS.escape(focus.id):focus.getAttribute("href")?"[href="+CSS.escape(focus.getAttribute("href"))+"]":"");
    const open=[...document.querySelectorAll("details[open]")].map(each=>each.id);
    for(const id of["state","main"])$(id).replaceChildren(...next.getElementById(id).childNodes);
    tag=$("main").dataset.tag=next.getElementById("main").dataset.tag;
    for(const id of open)if($(id))$(id).open=true;
    base();if(where&&!document.contains(focus))document.querySelector(where)?.focus()};
    const look=async()=>{
    if(asking||document.hidden)return;asking=true;clearTimeout(timer);
    try{const status=await(await get("status.json?directory=0")).json();
    if(status.tag!==tag){await exchange();pace=FAST}
    show(status);lost=false;
    pace=status.under_way.length?FAST:Math.min(LONGEST,Math.max(pace*1.5,FAST));
    say(status.under_way.length?"Live: "+status.under_way.length+" under way":"Live")
    }catch(error){pace=lost?Math.min(LONGEST,pace*1.5):FAST;lost=true;
    say(error.message==="401"?"Not authorized: reload the page":"No answer: the page shows what was last known")}
    asking=false;if(!document.hidden)timer=setTimeout(look,pace)};
    document.addEventListener("visibilitychange",()=>{clearTimeout(timer);if(!document.hidden){pace=FAST;look()}});
    addEventListener("pagehide",()=>clearTimeout(timer));addEventListener("pageshow",event=>{if(event.persisted)look()});
    document.documentElement.classList.add("js");base();timer=setTimeout(look,FAST)})();
    """
}
