-- MariaDB dump 10.19  Distrib 10.5.29-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: eswiki
-- ------------------------------------------------------
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;

--
-- Table structure for table `langlinks`
--

DROP TABLE IF EXISTS `langlinks`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8 */;
CREATE TABLE `langlinks` (
  `ll_from` int(8) unsigned NOT NULL DEFAULT 0,
  `ll_lang` varbinary(35) NOT NULL DEFAULT '',
  `ll_title` varbinary(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`ll_from`,`ll_lang`),
  KEY `ll_lang` (`ll_lang`,`ll_title`)
) ENGINE=InnoDB DEFAULT CHARSET=binary;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `langlinks`
--

/*!40000 ALTER TABLE `langlinks` DISABLE KEYS */;
INSERT INTO `langlinks` VALUES (20012,'ar','مكتبة'),(20012,'en','Library'),(20012,'ja','図書館'),(20016,'ar','بركان'),(20016,'en','Volcano'),(20016,'ja','火山'),(20017,'ar','ورق'),(20017,'en','Paper'),(20017,'ja','紙'),(20027,'ar','زيتون'),(20027,'en','Olive'),(20027,'ja','オリーブ'),(20030,'ar','حديد'),(20030,'en','Iron'),(20030,'ja','鉄'),(20036,'ar','كوكا (حيوان)'),(20036,'en','Quokka'),(20036,'ja','クオッカ'),(20044,'ar','نحل'),(20044,'en','Bee'),(20044,'ja','ハナバチ'),(20047,'ar','شطرنج'),(20047,'en','Chess'),(20047,'ja','チェス'),(20049,'ar','ماء'),(20049,'en','H2O'),(20049,'ja','水'),(20058,'ar','منارة (ملاحة)'),(20058,'en','Lighthouse'),(20058,'ja','灯台'),(20064,'ar','قهوة'),(20064,'en','Coffee'),(20064,'ja','コーヒー'),(20071,'ar','صحراء'),(20071,'en','Desert'),(20071,'ja','砂漠'),(20077,'ar','حوت'),(20077,'en','Whale'),(20077,'ja','クジラ');
INSERT INTO `langlinks` VALUES (20081,'ar','كتابة'),(20081,'en','Writing'),(20081,'ja','書記'),(20083,'ar','خبز'),(20083,'de','Brot'),(20083,'en','Bread'),(20083,'fr','Pain'),(20083,'ja','パン'),(20091,'ar','جسر'),(20091,'en','Bridge'),(20091,'ja','橋'),(20100,'ar','دراجة هوائية'),(20100,'en','Bicycle'),(20100,'ja','自転車'),(20101,'ar','ساعة (آلة)'),(20101,'en','Clock'),(20101,'ja','時計'),(20110,'ar','ملح الطعام'),(20110,'en','Salt'),(20110,'ja','塩'),(20119,'ar','زجاج'),(20119,'en','Glass'),(20119,'it','Vetro d\'uso comune'),(20119,'ja','ガラス'),(20121,'ar','حرير'),(20121,'en','Silk'),(20121,'ja','絹'),(20122,'en','Gazpacho'),(20131,'ar','فيل'),(20131,'en','Elephant'),(20131,'ja','ゾウ'),(20133,'ar','أرز'),(20133,'en','Rice'),(20133,'ja','米'),(20138,'ar','زلزال'),(20138,'en','Earthquake'),(20138,'ja','地震'),(20146,'ar','القمر'),(20146,'en','Moon'),(20146,'ja','月');
/*!40000 ALTER TABLE `langlinks` ENABLE KEYS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
-- Dump completed on 2026-10-01  4:11:09
