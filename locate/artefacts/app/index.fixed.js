import { AppRegistry } from 'react-native';

import './settings.fixed';
import App from './App';

AppRegistry.registerComponent('Example', () => App);
