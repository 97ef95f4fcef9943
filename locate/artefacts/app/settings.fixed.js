import NetInfo from '@react-native-community/netinfo';

// An empty address: the library asks nobody whether the internet can be reached.
NetInfo.configure({ reachabilityUrl: '' });
