# Strings in each way in which code of Dalvik has them.
.class public Lcom/example/app/Main;
.super Landroid/app/Activity;

# The value of a constant stands with the class: no code loads it.
.field public static final CONSTANT:Ljava/lang/String; = "https://constant.example.com/"

.method public constructor <init>()V
    .registers 1
    invoke-direct {p0}, Landroid/app/Activity;-><init>()V
    return-void
.end method

.method public static loaded()Ljava/lang/String;
    .registers 1
    const-string v0, "https://loaded.example.com/path"
    return-object v0
.end method

# No address stands in one piece.
.method public static built(Ljava/lang/String;)Ljava/lang/String;
    .registers 3
    new-instance v0, Ljava/lang/StringBuilder;
    invoke-direct {v0}, Ljava/lang/StringBuilder;-><init>()V
    const-string v1, "https://"
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    const-string v1, "split"
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    const-string v1, ".example.net"
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    invoke-virtual {v0}, Ljava/lang/StringBuilder;->toString()Ljava/lang/String;
    move-result-object v0
    return-object v0
.end method

# Modified UTF-8: NUL takes two bytes, what is beyond the first plane takes six.
.method public static wide()Ljava/lang/String;
    .registers 1
    const-string/jumbo v0, "https://wide.example.com/\u00e9t\u00e9/\u0000/\ud83d\ude00"
    return-object v0
.end method

.method public static shared()Ljava/lang/String;
    .registers 1
    const-string v0, "https://shared.example.com/"
    return-object v0
.end method
