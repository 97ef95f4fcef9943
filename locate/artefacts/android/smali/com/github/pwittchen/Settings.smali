# A class in the package of a library that is known by it: its default, and the string
# that the app's own class loads too.
.class public Lcom/github/pwittchen/reactivenetwork/library/rx2/internet/observing/strategy/WalledGardenInternetObservingStrategy;
.super Ljava/lang/Object;

.method public getDefaultPingHost()Ljava/lang/String;
    .registers 2
    const-string v0, "https://clients3.google.com/generate_204"
    return-object v0
.end method

.method public shared()Ljava/lang/String;
    .registers 2
    const-string v0, "https://shared.example.com/"
    return-object v0
.end method
