# A name that a shrinker made.
.class public final La/b;
.super Ljava/lang/Object;

.method public static a()Ljava/lang/String;
    .registers 1
    const-string v0, "https://obfuscated.example.com/"
    return-object v0
.end method
