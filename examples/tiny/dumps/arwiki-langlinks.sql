-- MariaDB dump 10.19  Distrib 10.5.29-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: arwiki
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
INSERT INTO `langlinks` VALUES (40015,'en','Bridge'),(40015,'es','Puente'),(40015,'ja','橋'),(40023,'en','Library'),(40023,'es','Biblioteca'),(40023,'ja','図書館'),(40030,'en','Chess'),(40030,'es','Ajedrez'),(40030,'ja','チェス'),(40037,'de','Brot'),(40037,'en','Bread'),(40037,'es','Pan'),(40037,'fr','Pain'),(40037,'ja','パン'),(40041,'en','Silk'),(40041,'es','Seda'),(40041,'ja','絹'),(40048,'en','Lighthouse'),(40048,'es','Faro'),(40048,'ja','灯台'),(40049,'en','Oud'),(40065,'en','Whale'),(40065,'es','Ballena'),(40065,'ja','クジラ'),(40070,'en','Water'),(40070,'es','Agua'),(40070,'ja','水'),(40075,'en','Paper'),(40075,'es','Papel'),(40075,'ja','紙'),(40082,'en','Desert'),(40082,'es','Desierto'),(40082,'ja','砂漠'),(40097,'en','Quokka'),(40097,'es','Quokka'),(40097,'ja','クオッカ'),(40103,'en','Bicycle'),(40103,'es','Bicicleta'),(40103,'ja','自転車');
INSERT INTO `langlinks` VALUES (40109,'en','Writing'),(40109,'es','Escritura'),(40109,'ja','書記'),(40110,'en','Bee'),(40110,'es','Abeja'),(40110,'ja','ハナバチ'),(40119,'en','Olive'),(40119,'es','Olea europaea'),(40119,'ja','オリーブ'),(40121,'en','Salt'),(40121,'es','Sal'),(40121,'ja','塩'),(40130,'en','Volcano'),(40130,'es','Volcán'),(40130,'ja','火山'),(40135,'en','Clock'),(40135,'es','Reloj'),(40135,'ja','時計'),(40151,'en','Moon'),(40151,'es','Luna'),(40151,'ja','月'),(40158,'en','Iron (element)'),(40158,'es','Hierro'),(40158,'ja','鉄'),(40162,'en','Coffee'),(40162,'es','Café'),(40162,'ja','コーヒー'),(40166,'en','Glass'),(40166,'es','Vidrio'),(40166,'it','Vetro d\'uso comune'),(40166,'ja','ガラス'),(40168,'en','Elephant'),(40168,'es','Elefante'),(40168,'ja','ゾウ'),(40172,'en','Earthquake'),(40172,'es','Terremoto'),(40172,'ja','地震'),(40176,'en','Rice'),(40176,'es','Arroz'),(40176,'ja','米');
/*!40000 ALTER TABLE `langlinks` ENABLE KEYS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
-- Dump completed on 2026-10-01  4:11:09
